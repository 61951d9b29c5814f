"""Which columns are read, and in which order."""

from __future__ import annotations

from tests.unit.table.case import Case, read, refuse

_MUG = "1|Mug|1.jpg"
_LISTED = "image_columns_joined"
_UNREAD = "image_column_unread"
_SERIAL = "serial_number_chosen"
_NAME = "product_name_chosen"


def _table(header: str, row: str, *products: str, notes: str = "") -> Case:
    return read(f"{header}\n{row}\n", *products, notes=notes)


CASES: dict[str, Case] = {
    "image, image 2, image 3": _table(
        "SKU,Name,Image,Image 2,Image 3", "1,Mug,U/1.jpg,U/2.jpg,U/3.jpg", "1|Mug|1.jpg 2.jpg 3.jpg", notes=_LISTED
    ),
    "numbers in another order": _table(
        "SKU,Name,Image 10,Image 2,Image 1", "1,Mug,U/10.jpg,U/2.jpg,U/1.jpg", "1|Mug|1.jpg 2.jpg 10.jpg", notes=_LISTED
    ),
    "images three times": _table(
        "SKU,Name,Images,Images,Images", "1,Mug,U/1.jpg,U/2.jpg,U/3.jpg", "1|Mug|1.jpg 2.jpg 3.jpg", notes=_LISTED
    ),
    "additional before the main one": _table(
        "Additional Images,Main Image,SKU,Name",
        '"U/2.jpg,U/3.jpg",U/1.jpg,1,Mug',
        "1|Mug|1.jpg 2.jpg 3.jpg",
        notes=_LISTED,
    ),
    "other names in their place": _table(
        "SKU,Name,Front photo,Back photo,Side photo",
        "1,Mug,U/f.jpg,U/b.jpg,U/s.jpg",
        "1|Mug|f.jpg b.jpg s.jpg",
        notes=_LISTED,
    ),
    "image columns apart": _table(
        "Image 1,SKU,Image 2,Name", "U/1.jpg,1,U/2.jpg,Mug", "1|Mug|1.jpg 2.jpg", notes=_LISTED
    ),
    "a blank image column": _table("SKU,Name,Image 1,Image 2", "1,Mug,U/1.jpg,", _MUG, notes=_LISTED),
    "image of text beside images": _table("SKU,Name,Image Name,Image URL", "1,Mug,mug.jpg,U/1.jpg", _MUG),
    "alternative text": _table("SKU,Name,Image URL,Image Alt Text,Image Position", "1,Mug,U/1.jpg,A mug,1", _MUG),
    "a thumbnail beside": _table("SKU,Name,Image,Thumbnail Image", "1,Mug,U/1.jpg,U/t.jpg", _MUG, notes=_UNREAD),
    "a thumbnail alone": _table("SKU,Name,Thumbnail Image", "1,Mug,U/1.jpg", _MUG),
    "a picture of the brand beside": _table(
        "SKU,Name,Brand Logo,Photo", "1,Mug,U/logo.png,U/1.jpg", _MUG, notes=_UNREAD
    ),
    "pictures that nobody reads": _table("SKU,Name,Image,Datasheet", "1,Mug,U/1.jpg,U/d.png", _MUG, notes=_UNREAD),
    "lists of pictures that nobody reads": _table(
        "SKU,Name,Image,Colours", '1,Mug,U/1.jpg,"U/2.jpg, U/3.jpg"', _MUG, notes=_UNREAD
    ),
    "pages that nobody reads": _table("SKU,Name,Image,Page", "1,Mug,U/1.jpg,U/p/1", _MUG),
    "a page beside pictures": _table("SKU,Name,URL,Image Src", "1,Mug,U/p/1,U/1.jpg", _MUG),
    "a page beside pictures, link": _table("SKU,Name,Link,Image Link", "1,Mug,U/p/1,U/1.jpg", _MUG),
    "a page beside paths of pictures": refuse("SKU,Name,URL,Image\n1,Mug,U/p/1,/images/1.jpg\n", 2, "host"),
    "a page beside blank pictures": refuse("SKU,Name,URL,Image\n1,Mug,U/p/1,\n", 2, "no image URL"),
    "url alone": _table("SKU,Name,URL", "1,Mug,U/1.jpg", _MUG),
    "url and link, one of pictures": _table("SKU,Name,URL,Link", "1,Mug,U/p/1,U/1.jpg", _MUG),
    "url and link, neither of pictures": refuse("SKU,Name,URL,Link\n1,Mug,U/p/1,U/p/2\n", 1, "rename"),
    "a weak and a strong number": _table("No,SKU,Name,Image", "7,A1,Mug,U/1.jpg", "A1|Mug|1.jpg"),
    "a quantity": _table("SKU,Name,Number,Image", "A1,Mug,7,U/1.jpg", "A1|Mug|1.jpg"),
    "a number alone": _table("Number,Name,Image", "1,Mug,U/1.jpg", _MUG, notes=_SERIAL),
    "a hash alone": _table("#,Name,Image", "1,Mug,U/1.jpg", _MUG, notes=_SERIAL),
    "an item number with a hash": _table("Item #,Item,Image", "1,Mug,U/1.jpg", _MUG, notes=_NAME),
    "quantities that come again": refuse("Number,Name,Image\n7,Mug,U/1.jpg\n7,Cup,U/2.jpg\n", 3, "already"),
    "a strong number of groups": read(
        "No,Code,Name,Image\n1,CUPS,Mug,U/1.jpg\n2,CUPS,Cup,U/2.jpg\n3,CUPS,Jug,U/3.jpg\n",
        _MUG,
        "2|Cup|2.jpg",
        "3|Jug|3.jpg",
        notes=_SERIAL,
    ),
    "SKU with one twice": refuse(
        "SKU,Name,Number,Image\nA,Mug,1,U/1.jpg\nB,Cup,2,U/2.jpg\nB,Jug,3,U/3.jpg\n", 4, "already"
    ),
    "two strong numbers": _table("EAN,SKU,Name,Image", "4006381333931,A1,Mug,U/1.jpg", "A1|Mug|1.jpg", notes=_SERIAL),
    "two names": _table("SKU,Title,Name,Image", "1,A mug,Mug,U/1.jpg", _MUG, notes=_NAME),
    "a description alone": _table("SKU,Description,Image", "1,Mug,U/1.jpg", _MUG, notes=_NAME),
    "a product alone": _table("SKU,Product,Image", "1,Mug,U/1.jpg", _MUG, notes=_NAME),
    "two languages": _table(
        "SKU,Artikelnummer,Name,Bezeichnung,Image,Bild",
        "1,9,Mug,Tasse,U/1.jpg,U/2.jpg",
        "1|Mug|1.jpg 2.jpg",
        notes=f"{_SERIAL} {_NAME} {_LISTED}",
    ),
    "two languages with the same texts": _table(
        "SKU,Artikelnummer,Name,Bezeichnung,Image", "1,1,Mug,Mug,U/1.jpg", _MUG
    ),
    "SKU twice": refuse("SKU,SKU,Name,Image\nA,B,Mug,U/1.jpg\n", 1, "rename or remove"),
    "SKU twice with the same texts": _table("SKU,Name,Image,SKU", "1,Mug,U/1.jpg,1", _MUG),
    "name twice": refuse("SKU,Name,Name,Image\n1,Mug,Cup,U/1.jpg\n", 1, "rename or remove"),
    "name twice, one blank": _table("SKU,Name,Name,Image", "1,,Mug,U/1.jpg", _MUG),
    "units": _table("S No (required),Product Name [en],Image Urls (comma separated)", "1,Mug,U/1.jpg", _MUG),
    "asterisks": _table("*SKU,*Name,*Image", "1,Mug,U/1.jpg", _MUG),
    "asterisks after": _table("SKU*,Name *,Image*", "1,Mug,U/1.jpg", _MUG),
    "numbers before": _table("1. SKU,2. Product Name,3. Image URLs", "1,Mug,U/1.jpg", _MUG),
    "letters with underscores": _table("product_sku,product_name,image_url", "1,Mug,U/1.jpg", _MUG),
    "camel case": _table("productId,productName,imageUrl", "1,Mug,U/1.jpg", _MUG),
    "colons after": _table("SKU:,Name:,Image:", "1,Mug,U/1.jpg", _MUG),
    "no-break spaces in names": _table("S.\u00a0No.,Product\u00a0Name,Image\u00a0Urls", "1,Mug,U/1.jpg", _MUG),
    "full-width letters": _table("ＳＫＵ,Ｎａｍｅ,Ｉｍａｇｅ", "1,Mug,U/1.jpg", _MUG),  # noqa: RUF001
    "a screen is no picture": _table("SKU,Name,Bildschirm,Bild", "1,TV,,U/1.jpg", "1|TV|1.jpg"),
    "pic, with numbers": _table("SKU,Name,Pic1,Pic2", "1,Mug,U/1.jpg,U/2.jpg", "1|Mug|1.jpg 2.jpg", notes=_LISTED),
    "url, with numbers": _table("SKU,Name,URL1,URL2", "1,Mug,U/1.jpg,U/2.jpg", "1|Mug|1.jpg 2.jpg", notes=_LISTED),
    "url, with numbers, without file names": _table(
        "SKU,Name,URL 1,URL 2", "1,Mug,U/1,U/2", "1|Mug|1 2", notes=_LISTED
    ),
    "media, with numbers": _table(
        "SKU,Name,Media 1,Media 2", "1,Mug,U/1.jpg,U/2.jpg", "1|Mug|1.jpg 2.jpg", notes=_LISTED
    ),
    "a gallery beside a picture": _table(
        "SKU,Name,Image,Gallery", "1,Mug,U/1.jpg,U/2.jpg", "1|Mug|1.jpg 2.jpg", notes=_LISTED
    ),
    "attachments": _table("SKU,Name,Attachments", "1,Mug,mug.jpg (U/1.jpg)", _MUG, notes="attachments_read"),
    "the page a picture is from": _table("SKU,Name,Photo,Photo source", "1,Mug,U/1.jpg,U/page", _MUG, notes=_UNREAD),
    "the source of a picture alone": _table("SKU,Name,Image Source", "1,Mug,U/1.jpg", _MUG),
    "the path of a picture alone": _table("SKU,Name,Image Path", "1,Mug,U/1.jpg", _MUG),
    "the path of a picture beside": _table("SKU,Name,Image Path,Image Link", "1,Mug,/x/1.jpg,U/1.jpg", _MUG),
    "blank headings after the pictures": read(
        "SKU,Name,Images,,\n1,Mug,U/1.jpg,U/2.jpg,U/3.jpg\n2,Cup,U/4.jpg,U/5.jpg,U/6.jpg\n",
        "1|Mug|1.jpg 2.jpg 3.jpg",
        "2|Cup|4.jpg 5.jpg 6.jpg",
        notes=_LISTED,
    ),
    "a blank heading between": _table("SKU,Images,,Name", "1,U/1.jpg,U/2.jpg,Mug", "1|Mug|1.jpg 2.jpg", notes=_LISTED),
    "errors of our own file": _table("SKU,Name,Image,Error", "1,Mug,U/1.jpg,Image 1: U/1.jpg not found", _MUG),
    "pictures of no known name": refuse("SKU,Name,Thumb,Full Size\n1,Mug,x,U/1.jpg\n", 1, "rename 'Full Size' to"),
    "a column that is another of ours": refuse("ID,Artikelnr,Colour,Image\n1,2,red,U/1.jpg\n", 1, "the product names"),
    "no serial number": refuse("Colour,Name,Image\nred,Mug,U/1.jpg\n", 1, "S. No."),
    "no name": refuse("SKU,Colour,Image\n1,red,U/1.jpg\n", 1, "Product Name"),
    "no pictures": refuse("SKU,Name,Colour\n1,Mug,red\n", 1, "Input Image Urls"),
    "a misspelled serial number": refuse("Serail Number,Name,Image\n1,Mug,U/1.jpg\n", 1, "Serail Number"),
    "a misspelled name": refuse("SKU,Prodct Name,Image\n1,Mug,U/1.jpg\n", 1, "Prodct Name"),
    "eBay": _table(
        "*Action(SiteID=US|Country=US|Version=1193),CustomLabel,*Category,*Title,PicURL",
        "Add,1,99,Mug,U/1.jpg|U/2.jpg",
        "1|Mug|1.jpg 2.jpg",
    ),
    "Ecwid": _table(
        "type,product_internal_id,product_sku,product_name,product_media_main_image_url,product_media_main_image_alt,product_media_gallery_image_url_1",
        "product,9,1,Mug,U/1.jpg,x,U/2.jpg",
        "1|Mug|1.jpg 2.jpg",
        notes=_LISTED,
    ),
    "OpenCart": refuse("product_id,name(en-gb),model,image_name\n1,Mug,M1,catalog/mug.jpg\n", 2, "https://"),
    "Lightspeed": _table("Internal_ID,Title_Long,Title,Images", '1,A mug,Mug,"U/1.jpg,U/2.jpg"', "1|Mug|1.jpg 2.jpg"),
    "Odoo": _table("External ID,Name,Internal Reference,Image URL", "p_1,Mug,1,U/1.jpg", _MUG, notes=_SERIAL),
    "Airtable": _table(
        "ID,Name,Photos", '1,Mug,"mug.jpg (U/1.jpg),side.jpg (U/2.jpg)"', "1|Mug|1.jpg 2.jpg", notes="attachments_read"
    ),
    "SAP": _table("MATNR,MAKTX,Picture URL", "1,Mug,U/1.jpg", _MUG),
    "Zoho": _table("Item ID,Item Name,SKU,Image URL", "9,Mug,1,U/1.jpg", _MUG, notes=_SERIAL),
}
