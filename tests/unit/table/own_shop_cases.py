"""Exports of the shops that merchants run themselves, as they come, with invented rows."""

from __future__ import annotations

from tests.unit.table.case import Case, read, refuse

_JOINED = "rows_joined"
_LISTED = "image_columns_joined"
_WOO = "ID,Type,SKU,Name,Published,Images,Parent,Position,Attribute 1 name\n"
_MAGENTO = (
    "sku,store_view_code,product_type,name,price,base_image,base_image_label,small_image,thumbnail_image,"
    "additional_images,additional_image_labels,qty\n"
)

CASES: dict[str, Case] = {
    "woocommerce": read(
        f'{_WOO}12,simple,A-1,Mug,1,"U/1.jpg, U/2.jpg",,0,\n13,simple,A-2,Cup,1,U/3.jpg,,0,\n',
        "A-1|Mug|1.jpg 2.jpg",
        "A-2|Cup|3.jpg",
    ),
    "woocommerce, variations": read(
        f'{_WOO}20,variable,H-1,Hoodie,1,"U/1.jpg, U/2.jpg",,0,Colour\n'
        "21,variation,H-1-R,Hoodie - Red,1,U/3.jpg,H-1,1,Colour\n22,variation,H-1-B,Hoodie - Blue,1,,H-1,2,Colour\n",
        "H-1|Hoodie|1.jpg 2.jpg",
        "H-1-R|Hoodie - Red|3.jpg",
        notes=_JOINED,
    ),
    "woocommerce, without an SKU": read(
        f"{_WOO}12,simple,,Mug,1,U/1.jpg,,0,\n13,simple,A-2,Cup,1,U/2.jpg,,0,\n14,simple,,Jug,1,U/3.jpg,,0,\n",
        "12|Mug|1.jpg",
        "A-2|Cup|2.jpg",
        "14|Jug|3.jpg",
        notes="serial_number_replaced",
    ),
    "woocommerce, German": read(
        "ID,Typ,Artikelnummer,Name,Bilder,Übergeordnetes Produkt\n12,variable,,Tasse,U/1.jpg,\n"
        "13,variation,,Tasse - Rot,,id:12\n",
        "12|Tasse|1.jpg",
        notes=f"serial_number_replaced {_JOINED}",
    ),
    "woocommerce, Italian": read(
        "ID,Tipo,COD,Nome,Pubblicato,Immagini,Genitore\n20,variable,H-1,Felpa,1,U/1.jpg,\n"
        "21,variation,H-1-R,Felpa - Rosso,1,,H-1\n",
        "H-1|Felpa|1.jpg",
        notes=_JOINED,
    ),
    "woocommerce, Hebrew": read(
        "מזהה,סוג,מק״ט,שם,פורסם,תמונות\n12,simple,A1,ספל,1,U/1.jpg\n13,simple,,צלחת,1,U/2.jpg\n",
        "A1|ספל|1.jpg",
        "13|צלחת|2.jpg",
        notes="serial_number_replaced",
    ),
    "woocommerce, Turkish": read(
        'Kimlik,Tür,Stok kodu (SKU),İsim,Görseller\n12,"simple, virtual",A1,Kupa,"U/1.jpg, U/2.jpg"\n',
        "A1|Kupa|1.jpg 2.jpg",
    ),
    "woocommerce, a variation before its product": refuse(
        f"{_WOO}21,variation,H-1-R,Hoodie - Red,1,,H-1,1,\n20,variable,H-1,Hoodie,1,U/1.jpg,,0,\n", 2, "no image URL"
    ),
    "woocommerce, French": read("ID,Type,UGS,Nom,Publié,Images\n12,simple,A1,Tasse,1,U/1.jpg\n", "A1|Tasse|1.jpg"),
    "wp all export": read(
        "id,Title,Sku,Price,Image URL,Image Title\n7,Mug,A1,9,U/1.jpg|U/2.jpg,Mug|Mug\n",
        "A1|Mug|1.jpg 2.jpg",
        notes="serial_number_chosen",
    ),
    "magento": read(
        f'{_MAGENTO}A1,,simple,Mug,9,U/1.jpg,Mug,U/1.jpg,U/1.jpg,"U/2.jpg,U/3.jpg","Side,Top",4\n',
        "A1|Mug|1.jpg 2.jpg 3.jpg",
        notes=f"{_LISTED} image_column_unread",
    ),
    "magento, bars between pictures": read(
        f"{_MAGENTO}A1,,simple,Mug,9,U/1.jpg,,,,U/2.jpg|U/3.jpg,,4\n", "A1|Mug|1.jpg 2.jpg 3.jpg", notes=_LISTED
    ),
    "magento, paths": refuse(
        f"{_MAGENTO}A1,,simple,Mug,9,/m/u/mug.jpg,,/m/u/mug.jpg,,,,4\n", 2, "media/catalog/product"
    ),
    "magento, rows of store views": read(
        f"{_MAGENTO}A1,,simple,Mug,9,U/1.jpg,,,,,,4\nA1,fr,simple,,,,,,,,,\n",
        "A1|Mug|1.jpg",
        notes=f"{_JOINED} {_LISTED}",
    ),
    "magento, names of store views": read(
        f"{_MAGENTO}A1,,simple,Mug,9,U/1.jpg,,,,,,4\nA1,de,simple,Becher,,,,,,,,\nA2,,simple,Cup,9,U/2.jpg,,,,,,4\n",
        "A1|Mug|1.jpg",
        "A2|Cup|2.jpg",
        notes=f"{_JOINED} {_LISTED}",
    ),
    "magento, one store view alone": read(
        f"{_MAGENTO}A1,de,simple,Becher,9,U/1.jpg,,,,,,4\nA2,de,simple,Tasse,9,U/2.jpg,,,,,,4\n",
        "A1|Becher|1.jpg",
        "A2|Tasse|2.jpg",
        notes=_LISTED,
    ),
    "magento 1": read(
        "sku,_store,_attribute_set,_type,name,image,_media_image,_media_position\nA1,,Default,simple,Mug,U/1.jpg,,1\n"
        ",,,,,,U/2.jpg,2\n,de,,,Becher,,,\n",
        "A1|Mug|1.jpg 2.jpg",
        notes=f"{_JOINED} {_LISTED}",
    ),
    "magento 1, a gallery": read(
        "store,type,sku,name,image,media_gallery\nadmin,simple,A1,Mug,U/1.jpg,U/2.jpg;U/3.jpg\n",
        "A1|Mug|1.jpg 2.jpg 3.jpg",
        notes=_LISTED,
    ),
    "prestashop": read(
        "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax included;Reference #;Image URLs (x,y,z...);"
        "Image alt texts (x,y,z...);Delete existing images (0 = No, 1 = Yes)\n"
        "3;1;Mug;Home,Cups;9,90;R1;U/1.jpg,U/2.jpg;Front,Side;0\n",
        "3|Mug|1.jpg 2.jpg",
        notes="serial_number_chosen",
    ),
    "prestashop, French": read(
        "ID;Actif (0/1);Nom *;Prix TTC;Référence;URL des images (x,y,z...);Supprimer les images existantes (0 = Non)\n"
        "3;1;Tasse;9,90;R1;U/1.jpg,U/2.jpg;0\n",
        "R1|Tasse|1.jpg 2.jpg",
        notes="serial_number_chosen",
    ),
}
