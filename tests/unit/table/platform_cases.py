"""The headings of more shop systems and marketplaces."""

from __future__ import annotations

from tests.unit.table.case import Case, read, refuse

# fmt: off  - a file is a line

CASES: dict[str, Case] = {
    "name after images": read("Input Image Urls,S. No.,Product Name\nU/1.jpg,1,Mug\n", "1|Mug|1.jpg"),
    "images json column name": read('sku,name,images_json\n1,Mug,"[""U/1.jpg""]"\n', "1|Mug|1.jpg", notes="json_read"),
    "picture url main": read(
        "Item Code,Item Description,Picture URL\n1,Mug,U/1.jpg\n", "1|Mug|1.jpg", notes="product_name_chosen"
    ),
    "walmart main image": read(
        "sku,productName,mainImageUrl,productSecondaryImageURL\n1,Mug,U/1.jpg,U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "amazon newer": read(
        "SKU,Item Name,Main Image URL,Other Image URL,Other Image URL\n1,Mug,U/1.jpg,U/2.jpg,U/3.jpg\n",
        "1|Mug|1.jpg 2.jpg 3.jpg",
        notes="image_columns_joined",
    ),
    "tiktok": read(
        "Seller SKU,Product name,Main image,Image 2,Image 3\n1,Mug,U/1.jpg,U/2.jpg,U/3.jpg\n",
        "1|Mug|1.jpg 2.jpg 3.jpg",
        notes="image_columns_joined",
    ),
    "meta, once more": read(
        "# Required | A unique ID,# Required | A title,# Required | image\nid,title,image_link\n1,Mug,U/1.jpg\n",
        "1|Mug|1.jpg",
        notes="lines_above_header",
    ),
    "ebay": read(
        "*Action(SiteID=US|Country=US|Currency=USD|Version=1193),Custom label (SKU),Title,Item photo URL\nAdd,1,Mug,U/1.jpg|U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
    ),
    "ebay with info line": read(
        "#INFO,Version=1.0,,\nAction,Custom label (SKU),Title,Item photo URL\nAdd,1,Mug,U/1.jpg\n",
        "1|Mug|1.jpg",
        notes="lines_above_header",
    ),
    "odoo": read(
        "External ID,Name,Internal Reference,Image URL\n__import__.p1,Mug,1,U/1.jpg\n",
        "1|Mug|1.jpg",
        notes="serial_number_chosen",
    ),
    "erpnext": refuse(
        "Data Import Template,,,\nTable:,Item,,\n,,,\nColumn Labels:,Item Code,Item Name,Image\nColumn Name:,item_code,item_name,image\nMandatory:,Yes,No,No\nType:,Data,Data,Attach\nInfo:,,,\nStart entering data below this line,,,\n,1,Mug,U/1.jpg\n",
        6,
        "URL",
    ),
    "akeneo, once more": read(
        "sku;name-en_US;image_1;image_2\n1;Mug;U/1.jpg;U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="image_columns_joined"
    ),
    "akeneo asset": read("identifier;label-en_US;media-url\n1;Mug;U/1.jpg\n", "1|Mug|1.jpg"),
    "salsify": read(
        "salsify:id,Product Name,Main Image,Alternate Images\n1,Mug,U/1.jpg,U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "plytix": read(
        'SKU,Label,Thumbnail,Assets\n1,Mug,U/t.jpg,"U/1.jpg,U/2.jpg"\n',
        "1|Mug|1.jpg 2.jpg",
        notes="image_column_unread",
    ),
    "notion": refuse("Name,SKU,Image\nMug,1,Mug%20abc/mug.jpg\n", 2, "//your-shop/."),
    "airtable": read("SKU,Name,Attachments\n1,Mug,mug.jpg (U/1.jpg)\n", "1|Mug|1.jpg", notes="attachments_read"),
    "sheets hyperlink text": refuse("SKU,Name,Image\n1,Mug,View\n", 2, "https"),
    "1c": read("Артикул;Наименование;Картинка\n1;Кружка;U/1.jpg\n", "1|Кружка|1.jpg"),
    "bitrix": read("IE_XML_ID;IE_NAME;IE_DETAIL_PICTURE\n1;Mug;U/1.jpg\n", "1|Mug|1.jpg"),
    "insales": read("Название товара;Артикул;Изображения\nКружка;1;U/1.jpg U/2.jpg\n", "1|Кружка|1.jpg 2.jpg"),
    "tilda": read("Tilda UID;SKU;Title;Photo\n9;1;Mug;U/1.jpg\n", "1|Mug|1.jpg"),
    "ozon": read(
        "Артикул*;Название товара;Ссылка на главное фото*;Ссылки на дополнительные фото\n1;Кружка;U/1.jpg;U/2.jpg\n",
        "1|Кружка|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "mercadolibre": read("SKU;Título;Fotos\n1;Taza;U/1.jpg, U/2.jpg\n", "1|Taza|1.jpg 2.jpg"),
    "tiendanube": read("Identificador de URL;Nombre;SKU;Imágenes\nmug;Taza;1;U/1.jpg\n", "1|Taza|1.jpg"),
    "jtl": read(
        "Artikelnummer;Artikelname;Bild 1 Pfad/URL;Bild 2 Pfad/URL\n1;Tasse;U/1.jpg;U/2.jpg\n",
        "1|Tasse|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "shopware": read("productNumber;name;cover.media.url\n1;Mug;U/1.jpg\n", "1|Mug|1.jpg"),
    "shopware5": read("ordernumber|name|imageUrl\n1|Mug|U/1.jpg\n", "1|Mug|1.jpg"),
    "gambio": read("XTSOL;p_model;p_name.de;p_image\nXTSOL;1;Tasse;U/1.jpg\n", "1|Tasse|1.jpg"),
    "plentymarkets": read("Variation.number;Item.name;Item.images\n1;Mug;U/1.jpg\n", "1|Mug|1.jpg"),
    "vtex": read("_IDSKU;_NomeProduto;_ImagemURL\n1;Caneca;U/1.jpg\n", "1|Caneca|1.jpg"),
    "nuvemshop": read("Nome,SKU,Imagens\nCaneca,1,U/1.jpg\n", "1|Caneca|1.jpg"),
    "square": read("Token,Item Name,SKU,Image URL\nabc,Mug,1,U/1.jpg\n", "1|Mug|1.jpg"),
    "faire": read("Product Name (English),SKU,Product Images\nMug,1,U/1.jpg U/2.jpg\n", "1|Mug|1.jpg 2.jpg"),
    "pinterest": read(
        'id,title,link,image_link,additional_image_link\n1,Mug,U/p,U/1.jpg,"U/2.jpg,U/3.jpg"\n',
        "1|Mug|1.jpg 2.jpg 3.jpg",
        notes="image_columns_joined",
    ),
    "poshmark": read(
        "Title,Style,Image 1,Image 2,SKU\nMug,x,U/1.jpg,U/2.jpg,1\n", "1|Mug|1.jpg 2.jpg", notes="image_columns_joined"
    ),
    "discogs": read("listing_id,artist,title,image\n1,x,Mug,U/1.jpg\n", "1|Mug|1.jpg"),
    "bol": read("Ean,Titel,Afbeeldingen\n1,Mok,U/1.jpg\n", "1|Mok|1.jpg"),
    "cdiscount": read(
        "Référence vendeur,Libellé,Image 1 (obligatoire),Image 2\n1,Tasse,U/1.jpg,U/2.jpg\n",
        "1|Tasse|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "emag": read(
        "Cod produs,Denumire,Imagine principală,Imagine secundară 1\n1,Cană,U/1.jpg,U/2.jpg\n",
        "1|Cană|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "heureka": read(
        "ITEM_ID;PRODUCTNAME;IMGURL;IMGURL_ALTERNATIVE\n1;Hrnek;U/1.jpg;U/2.jpg\n",
        "1|Hrnek|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "ceneo": read("id;nazwa;zdjecia\n1;Kubek;U/1.jpg\n", "1|Kubek|1.jpg"),
    "baselinker": read(
        "SKU;Nazwa;Zdjęcie 1;Zdjęcie 2\n1;Kubek;U/1.jpg;U/2.jpg\n", "1|Kubek|1.jpg 2.jpg", notes="image_columns_joined"
    ),
    "trendyol": read(
        "Barkod;Ürün Adı;Görsel 1;Görsel 2\n1;Kupa;U/1.jpg;U/2.jpg\n",
        "1|Kupa|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "lazada": read(
        "SellerSKU,Product Name,Product Images1,Product Images2\n1,Mug,U/1.jpg,U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "tokopedia": read(
        "Nama Produk,SKU,Gambar 1,Gambar 2\nMug,1,U/1.jpg,U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="image_columns_joined"
    ),
    "flipkart": read(
        "Seller SKU ID,Product Title,Main Image URL,Other Image URL 1\n1,Mug,U/1.jpg,U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "meesho": read(
        "Product Name,SKU ID,Front Image,Image 2\nMug,1,U/1.jpg,U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "noon": read(
        "partner_sku,title_en,image_url_1,image_url_2\n1,Mug,U/1.jpg,U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "yahoo jp": read("code,name,item-image-urls\n1,Mug,U/1.jpg;U/2.jpg\n", "1|Mug|1.jpg 2.jpg"),
    "mercari": read(
        "商品ID,商品名,画像1,画像2\n1,カップ,U/1.jpg,U/2.jpg\n", "1|カップ|1.jpg 2.jpg", notes="image_columns_joined"
    ),
    "naver": read(
        "판매자 상품코드,상품명,대표이미지,추가이미지\n1,컵,U/1.jpg,U/2.jpg\n",
        "1|컵|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "1688": read(
        "货号,商品名称,主图,副图\n1,杯子,U/1.jpg,U/2.jpg\n", "1|杯子|1.jpg 2.jpg", notes="image_columns_joined"
    ),
    "haravan": read("Mã SKU,Tên sản phẩm,Link hình\n1,Cốc,U/1.jpg\n", "1|Cốc|1.jpg"),
    "volusion": read("productcode,productname,photourl\n1,Mug,U/1.jpg\n", "1|Mug|1.jpg"),
    "3dcart": read("id,name,image1,image2\n1,Mug,U/1.jpg,U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="image_columns_joined"),
    "xcart": read("sku,name,images\n1,Mug,U/1.jpg&&U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="remarks_left_out"),
    "nopcommerce": read(
        "ProductId,Name,Picture1,Picture2,Picture3\n1,Mug,U/1.jpg,U/2.jpg,\n",
        "1|Mug|1.jpg 2.jpg",
        notes="image_columns_joined",
    ),
    "virtuemart": read(
        "product_sku,product_name,file_url,file_url_thumb\n1,Mug,U/1.jpg,U/t.jpg\n",
        "1|Mug|1.jpg",
        notes="image_column_unread",
    ),
    "ubercart": read("SKU,Title,Image file\n1,Mug,U/1.jpg\n", "1|Mug|1.jpg"),
    "magento gallery paths with base": read(
        'sku,name,base_image,small_image,thumbnail_image,additional_images\n1,Mug,U/1.jpg,U/1.jpg,U/1.jpg,"U/1.jpg,U/2.jpg"\n',
        "1|Mug|1.jpg 1.jpg 2.jpg",
        notes="image_column_unread image_columns_joined",
    ),
    "prestashop new": read(
        "Product ID;Image;Name;Reference\n9;U/1.jpg;Mug;1\n", "9|Mug|1.jpg", notes="serial_number_chosen"
    ),
}
