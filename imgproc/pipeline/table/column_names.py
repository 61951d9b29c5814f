"""The names that catalogue files give our columns, in several languages. Data only; `columns` compares them.

Each name is compared by its key: without case, accents, spacing, punctuation and bracketed remarks. Of two names in
one header the one listed first wins, unless the rows speak for the other.
"""

from __future__ import annotations

SERIAL_NUMBER = (
    # The name that our own files use, and its other spellings.
    *("S. No.", "Sr No", "Sl No", "Serial Number", "Serial No", "Serial", "S/N", "Serienummer", "Seriennummer"),
    # Shops: each identifies one product.
    *("Handle", "Handle Id", "SKU", "Item SKU", "Seller SKU", "Product SKU", "Product Code/SKU", "Parent SKU"),
    *("Item No.", "Item Number", "Item Code", "Item Id", "Product No.", "Product Number", "Product Code", "Code"),
    *("Product Id", "Article No.", "Article Number", "Article Code", "Part Number", "Part No.", "Style Code"),
    *("Model No.", "Model Number", "Listing Id", "Offer Id", "Stock Code", "Reference", "Reference #", "Ref", "Ref."),
    *("Variant SKU", "URL Handle", "Slug", "Item Reference", "Internal Reference", "Default Code", "Internal Id"),
    *("Product Internal Id", "Contribution SKU", "Custom Label", "Custom Label (SKU)", "CustomLabel", "Model Code"),
    *("Vendor SKU", "Supplier SKU", "Supplier Code", "Supplier Part Number", "Manufacturer Part Number", "Master SKU"),
    *("SKU No", "SKU Code", "SKU Id", "Ref No", "Style No", "Style Number", "Order No", "Catalog No"),
    *("Catalogue No", "Stock No", "Stock Number", "Reference No", "Serial #", "Entity Id", "Post Id", "Internal Code"),
    *("Material Number", "Material No", "MATNR", "Product Key", "Article Id", "Unique Id", "SKU/ID", "Variation SKU"),
    *(
        "g:id",
        "Item Sku Id",
        "Retailer Id",
        "Content Id",
        "UGS",
        "OXARTNUM",
        "Ordernumber",
        "ID oferty",
        "Product Token",
    ),
    *("Identifier", "salsify:id", "p_model", "IE_XML_ID", "Variation.number", "IDSKU", "Seller SKU Id", "Partner SKU"),
    *("Référence vendeur", "판매자 상품코드", "Mã SKU", "Variant Id"),
    *("ID", "Product Reference", "External Id", "ASIN", "GTIN", "EAN", "UPC", "Barcode", "Barkod", "ISBN", "MPN"),
    # French, German, Spanish, Italian, Portuguese, Dutch, Polish, Turkish.
    *("Référence", "Réf", "Réf.", "Référence produit", "Code produit", "Code article", "Numéro de série", "N° série"),
    *(
        "Artikelnummer",
        "Artikel-Nr.",
        "Art.-Nr.",
        "Art.Nr.",
        "Produktnummer",
        "Produkt-ID",
        "Bestellnummer",
        "Lfd. Nr.",
    ),
    *("Código", "Código de producto", "Referencia", "Número de serie", "Codice", "Codice prodotto", "Riferimento"),
    *(
        "Código do produto",
        "Referência",
        "Número de série",
        "Numero di serie",
        "Artikelcode",
        "Productcode",
        "Artikelnr",
    ),
    *("Indeks", "Kod", "Kod produktu", "Numer katalogowy", "Numer seryjny", "Ürün Kodu", "Stok Kodu", "Seri No"),
    # Japanese, Chinese, Korean.
    *("商品コード", "商品番号", "品番", "型番", "管理番号", "製品番号", "商品管理番号", "商品编号", "产品编号", "货号"),
    *("商品编码", "商品ID", "产品ID", "型号", "商品編號", "貨號", "상품코드", "상품번호"),
)
# Each of these may also be a quantity or a place in a list.
WEAK_SERIAL_NUMBER = (
    *(
        "No",
        "No.",
        "Number",
        "#",
        "Nr",
        "Nr.",
        "Nº",
        "N°",
        "Num",
        "Numéro",
        "Número",
        "Numero",
        "Nummer",
        "Numer",
        "Sıra",
    ),
    *("Sıra No", "Lp", "Lp.", "Item", "Index", "Position", "Row", "番号", "序号", "编号", "序號", "編號", "번호"),
)
PRODUCT_NAME = (
    *("Product Name", "Product Title", "Item Name", "Item Title", "Name", "Title", "Article Name", "Listing Title"),
    *(
        "Post Title",
        "g:title",
        "Item Label",
        "Material Description",
        "MAKTX",
        "Product Label",
        "Name (EN)",
        "Title (EN)",
    ),
    *("Product Name EN", "Name EN", "Title EN", "Name (en-gb)", "Product Name English", "English Name"),
    *("translations.DEFAULT.name", "OXTITLE", "Tytuł oferty", "Название позиции", "宝贝标题"),
    *("IE_NAME", "p_name.de", "NomeProduto", "Label (en_US)"),
    *("Variant Title", "Display Name", "Model Name", "Produktname", "Artikelname"),
    *(
        "Produktbezeichnung",
        "Artikelbezeichnung",
        "Bezeichnung",
        "Produkttitel",
        "Titel",
        "Nom du produit",
        "Nom produit",
    ),
    *(
        "Nom",
        "Nom de l'article",
        "Titre",
        "Titre du produit",
        "Désignation",
        "Libellé",
        "Intitulé",
        "Nombre del producto",
    ),
    *("Nombre de producto", "Nombre producto", "Nombre", "Título", "Título del producto", "Nome prodotto", "Nome"),
    *("Nome del prodotto", "Titolo", "Denominazione", "Nome do produto", "Título do produto", "Productnaam", "Naam"),
    *("Artikelnaam", "Producttitel", "Nazwa produktu", "Nazwa", "Nazwa towaru", "Tytuł", "Ürün Adı", "Ürün İsmi", "Ad"),
    *(
        "Başlık",
        "İsim",
        "商品名",
        "製品名",
        "品名",
        "タイトル",
        "商品タイトル",
        "商品名称",
        "产品名称",
        "名称",
        "标题",
        "商品标题",
    ),
    *("商品名稱", "產品名稱", "名稱", "標題", "상품명", "제품명"),
)
WEAK_PRODUCT_NAME = (
    *("Product", "Item", "Article", "Model", "Description", "Produkt", "Artikel", "Produit", "Article", "Producto"),
    *("Artículo", "Prodotto", "Articolo", "Produto", "Artigo", "Product description", "Beschreibung", "Omschrijving"),
    *("Item Description", "Short Description", "Label"),
    *("Opis", "Ürün", "商品", "产品", "產品", "製品"),
)
INPUT_IMAGE_URLS = ("Input Image Urls", "Image Urls", "Images", "Image Src", "Image Link")
# A heading names pictures if its key contains one of these, and none of NOT_PICTURES.
PICTURES = (
    *("picurl", "pics", "mainpic", "picpath", "packshot", "galleryurl"),
    *("image", "img", "picture", "photo", "foto", "bild", "imagen", "immagin", "imagem", "imagens", "afbeelding"),
    *(
        "zdjec",
        "obraz",
        "resim",
        "gorsel",
        "fotograf",
        "画像",
        "写真",
        "图片",
        "圖片",
        "图像",
        "照片",
        "이미지",
        "사진",
    ),
    *("inputurl",),
)
# These name pictures by themselves, with or without a number.
PICTURES_ALONE = (
    "副图",
    "Pic",
    "OXPIC",
    "Kép",
    "Kuva",
    "Gallery",
    "Galerie",
    "Galería",
    "Media Gallery",
    "Ảnh",
    "Фото",
    "عکس",
)
# What else is said of a picture: its description, place, size or file.
NOT_PICTURES = (
    "output",  # the column that our own files add
    *(
        "alt",
        "text",
        "caption",
        "title",
        "position",
        "order",
        "sort",
        "width",
        "height",
        "size",
        "count",
        "label",
        "type",
    ),
    *("description", "credit", "license", "licence", "copyright", "number", "hash", "video", "legende", "beschreibung"),
    *("tag0", "schirm", "supprimer", "loschen", "eliminar", "elimina", "usun", "alternatif", "isthumb"),
    *("sortierung", "reihenfolge", "anzahl", "thumbnaillabel", "isthumbnail", "delete", "imageid", "photoid"),
)
# Pictures that repeat another, at a smaller size or of a variant: read only where a file has no others.
MAIN_PICTURES = ("main", "base", "primary", "principal", "haupt", "featured", "cover", "hero", "default", "hoofd")
ADDITIONAL_PICTURES = (
    *("additional", "other", "gallery", "galerie", "galeria", "extra", "alternat", "secondary", "weitere", "zusatz"),
    *("lifestyle", "supplement", "adicional", "aggiuntiv", "more", "dodatkow", "detail"),
)
LESSER_PICTURES = (
    *("category", "brand", "manufacturer", "vendor", "supplier", "sizechart", "banner", "qrcode", "barcodeimage"),
    *("variationimage", "lowres", "preview", "avatar", "kategorie", "marke", "categorie"),
    *("source", "path"),  # beside the pictures, their pages and their places on a disk
    *("thumb", "small", "swatch", "icon", "logo", "variantimage", "miniature", "vignette", "ogimage"),
)
WEAK_IMAGE_URLS = (
    "Urls",
    "Url",
    "Links",
    "Link",
    "Media",
    "Media Urls",
    "Media Url",
    "Cover",
    "Cover Media Url",
    "Assets",
    "File Url",
    "Link hình",
    "Attachments",
    "Attachment",
    "Lien",
    "リンク",
    "链接",
)
