"""Exports of hosted shops and marketplaces as they come, with invented rows."""

from __future__ import annotations

from tests.unit.table.case import Case, read, refuse

_JOINED = "rows_joined"
_LISTED = "image_columns_joined"
_BC3 = (
    "Item,ID,Name,Type,SKU,Options,Price,Variant Image URL,Internal Image URL (Export),Image URL (Import),"
    "Image Sort Order\n"
)
_META = "id,title,description,availability,condition,price,link,image_link,brand,additional_image_link\n"
_WIX = "handleId,fieldType,name,description,productImageUrl,collection,sku,ribbon,price,productOptionName1\n"
_WIX_3 = "handle,fieldType,name,visible,plainDescription,media,mediaAltText,sku,price\n"
_SQUARESPACE = (
    "Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,"
    "Description,SKU,Option Name 1,Option Value 1,Price,Stock,Hosted Image URLs\n"
)
_MEDIA = "1a2b3c_0123456789abcdef0123456789abcdef~mv2"

CASES: dict[str, Case] = {
    "akeneo": read("sku;family;name-en_US;image-en_US\nA1;x;Mug;U/1.jpg\n", "A1|Mug|1.jpg"),
    "walmart": read(
        "SKU,Product Name,Main Image URL,Additional Image URL 1 (+),Additional Image URL 2 (+)\n"
        "A1,Mug,U/1.jpg,U/2.jpg,U/3.jpg\n",
        "A1|Mug|1.jpg 2.jpg 3.jpg",
        notes=_LISTED,
    ),
    "shopee": read(
        "et_title_product_id,et_title_product_name,ps_item_cover_image,ps_item_image_1\nProduct ID,Product Name,"
        "Cover image,Item Image 1\n1,Mug,U/1.jpg,U/2.jpg\n",
        "1|Mug|1.jpg 2.jpg",
        notes=f"lines_above_header {_LISTED}",
    ),
    "ebay, a draft": read(
        "#INFO,Version=0.0.2,Template= eBay-draft,,\n#INFO Action is required.,,,,\n"
        "Action(SiteID=US|Country=US),Custom label (SKU),Title,UPC,Item photo URL\nDraft,A1,Mug,,U/1.jpg|U/2.jpg\n",
        "A1|Mug|1.jpg 2.jpg",
        notes="lines_above_header serial_number_chosen",
    ),
    "rakuten": read(
        "商品管理番号（商品URL）,商品名,商品画像URL1,商品画像URL2\nA1,マグ,U/1.jpg,U/2.jpg\n",
        "A1|マグ|1.jpg 2.jpg",
        notes=_LISTED,
    ),
    "coupang": read(
        "상품번호,상품명,대표이미지,추가이미지\nA1,머그,U/1.jpg,U/2.jpg\n", "A1|머그|1.jpg 2.jpg", notes=_LISTED
    ),
    "taobao": read("商品编码,宝贝标题,主图,图片1\nA1,杯子,U/1.jpg,U/2.jpg\n", "A1|杯子|1.jpg 2.jpg", notes=_LISTED),
    "mirakl": read(
        "product-sku,product-title,media-1,media-2\nA1,Mug,U/1.jpg,U/2.jpg\n", "A1|Mug|1.jpg 2.jpg", notes=_LISTED
    ),
    "allegro": read("ID oferty;Tytuł oferty;Zdjęcia\n1;Kubek;U/1.jpg|U/2.jpg\n", "1|Kubek|1.jpg 2.jpg"),
    "oxid": read("OXARTNUM;OXTITLE;OXPIC1;OXPIC2\nA1;Tasse;U/1.jpg;U/2.jpg\n", "A1|Tasse|1.jpg 2.jpg", notes=_LISTED),
    "shopify": read(
        "Handle,Title,Body (HTML),Vendor,Type,Published,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,"
        "Image Position,Image Alt Text,Gift Card,SEO Title,Variant Image,Status\n"
        "mug,Mug,<p>A mug</p>,ACME,Cups,TRUE,Size,S,M-S,9,U/1.jpg,1,,FALSE,,,active\n"
        "mug,,,,,,,L,M-L,11,U/2.jpg,2,,,,,\n"
        "mug,,,,,,,,,,U/3.jpg,3,,,,,\n"
        "cup,Cup,,ACME,Cups,TRUE,Title,Default Title,C-1,5,U/4.jpg,1,,FALSE,,,draft\n",
        "mug|Mug|1.jpg 2.jpg 3.jpg",
        "cup|Cup|4.jpg",
        notes=f"{_JOINED} serial_number_chosen",
    ),
    "shopify since 2025": read(
        "Title,URL handle,Description,Vendor,Type,Status,SKU,Barcode,Option1 name,Option1 value,Price,"
        "Product image URL,Image position,Image alt text,Variant image URL,SEO title\n"
        "Mug,mug,,ACME,Cups,Active,M-S,,Size,S,9,U/1.jpg,1,,U/s.jpg,\n"
        ",mug,,,,,M-L,,,L,11,U/2.jpg,2,,U/l.jpg,\n"
        "Cup,cup,,ACME,Cups,Active,C-1,,Title,Default Title,5,U/3.jpg,1,,,\n",
        "mug|Mug|1.jpg 2.jpg",
        "cup|Cup|3.jpg",
        notes=f"{_JOINED} serial_number_chosen image_column_unread",
    ),
    "shopify, the first row has no picture": read(
        "Handle,Title,Image Src,Variant Image\nmug,Mug,,\nmug,,U/1.jpg,\ncup,Cup,U/2.jpg,\n",
        "mug|Mug|1.jpg",
        "cup|Cup|2.jpg",
        notes=_JOINED,
    ),
    "shopify, pictures of variants alone": read(
        "Handle,Title,Image Src,Variant Image\nmug,Mug,,U/1.jpg\nmug,,,U/2.jpg\n",
        "mug|Mug|1.jpg 2.jpg",
        notes=f"{_JOINED} {_LISTED}",
    ),
    "shopify, a handle that comes again": refuse(
        "Handle,Title,Image Src\nmug,Mug,U/1.jpg\ncup,Cup,U/2.jpg\nmug,,U/3.jpg\n", 4, "below line 2"
    ),
    "google": read(
        "id\ttitle\tdescription\tlink\timage_link\tadditional_image_link\tprice\tavailability\n"
        "A1\tMug\tA mug, red\tU/p/1\tU/1.jpg\tU/2.jpg,U/3.jpg\t9 EUR\tin_stock\n",
        "A1|Mug|1.jpg 2.jpg 3.jpg",
        notes=_LISTED,
    ),
    "google, a column for each additional picture": read(
        "id\ttitle\tlink\tadditional_image_link\tadditional_image_link\timage_link\tlifestyle_image_link\tmpn\n"
        "A1\tMug\tU/p/1\tU/2.jpg\tU/3.jpg\tU/1.jpg\tU/4.jpg\tM1\n",
        "A1|Mug|1.jpg 2.jpg 3.jpg 4.jpg",
        notes=f"{_LISTED} serial_number_chosen",
    ),
    "google, with the names of XML": read(
        "g:id\tg:title\tg:link\tg:image_link\nA1\tMug\tU/p/1\tU/1.jpg\n", "A1|Mug|1.jpg"
    ),
    "google, spaced names": read("ID\tTitle\tLink\tImage link\nA1\tMug\tU/p/1\tU/1.jpg\n", "A1|Mug|1.jpg"),
    "meta": read(
        '"# Required | A unique ID","# Required | A title",,,,,,"# Required | The URL of the image",,\n'
        f'{_META}A1,Mug,Red,in stock,new,9 EUR,U/p/1,U/1.jpg,ACME,"U/2.jpg,U/3.jpg"\n',
        "A1|Mug|1.jpg 2.jpg 3.jpg",
        notes=f"lines_above_header {_LISTED}",
    ),
    "meta, numbered pictures": read(
        "id,title,description,link,image[0].url,image[0].tag[0],image[1].url,image[1].tag[0],video[0].url\n"
        "A1,Mug,Red,U/p/1,U/1.jpg,front,U/2.jpg,side,U/v.mp4\n",
        "A1|Mug|1.jpg 2.jpg",
        notes=_LISTED,
    ),
    "wix": read(
        f"{_WIX}product_1,Product,Mug,,U/1.jpg;U/2.jpg,,A1,,9,Size\nproduct_1,Variant,,,,,,,,Size\n"
        "product_2,Product,Cup,,U/3.jpg,,A2,,5,\n",
        "product_1|Mug|1.jpg 2.jpg",
        "product_2|Cup|3.jpg",
        notes=f"{_JOINED} serial_number_chosen",
    ),
    "wix, names of media": Case(
        f"{_WIX}product_1,Product,Mug,,{_MEDIA}.jpg;{_MEDIA}_d_3000_2000_s_2.png,,A1,,9,\n",
        (
            (
                "product_1",
                "Mug",
                (
                    f"https://static.wixstatic.com/media/{_MEDIA}.jpg",
                    f"https://static.wixstatic.com/media/{_MEDIA}_d_3000_2000_s_2.png",
                ),
            ),
        ),
        frozenset({"wix_media_read", "serial_number_chosen"}),
    ),
    "wix, an address of its editor": Case(
        f"{_WIX}product_1,Product,Mug,,wix:image://v1/{_MEDIA}.jpg/mug.jpg#originWidth=9&originHeight=9,,A1,,9,\n",
        (("product_1", "Mug", (f"https://static.wixstatic.com/media/{_MEDIA}.jpg",)),),
        frozenset({"wix_media_read", "serial_number_chosen"}),
    ),
    "wix, file names": refuse(f"{_WIX}product_1,Product,Mug,,mug.jpg;side.jpg,,A1,,9,\n", 2, "name of a file"),
    "wix, a row for each picture": read(
        f"{_WIX_3}mug,PRODUCT,Mug,TRUE,,U/1.jpg,,A1,9\nmug,MEDIA,,,,U/2.jpg,,,\nmug,VARIANT,,,,,,A1-S,9\n",
        "mug|Mug|1.jpg 2.jpg",
        notes=f"{_JOINED} serial_number_chosen",
    ),
    "squarespace": read(
        f"{_SQUARESPACE}5a1,5b1,PHYSICAL,shop,mug,Mug,,SQ1,Size,S,9,4,U/1.jpg U/2.jpg\n,5b2,,,,,,SQ2,Size,L,11,2,\n"
        '5a2,5b3,PHYSICAL,shop,cup,Cup,,SQ3,,,5,1,"U/3.jpg\nU/4.jpg"\n',
        "5a1|Mug|1.jpg 2.jpg",
        "5a2|Cup|3.jpg 4.jpg",
        notes=f"{_JOINED} serial_number_chosen",
    ),
    "bigcommerce": read(
        f"{_BC3}Product,77,Mug,physical,B-1,,9,,,,\nImage,501,,,,,,,U/1.jpg,,0\nImage,502,,,,,,,U/2.jpg,,1\n"
        "Variant,901,,,B-1-S,Type=Rectangles|Name=Size|Value=S,9,U/s.jpg,,,\n"
        "Product,78,Cup,physical,,,5,,,,\nImage,503,,,,,,,U/3.jpg,,0\n",
        "B-1|Mug|1.jpg 2.jpg",
        "78|Cup|3.jpg",
        notes=f"{_JOINED} {_LISTED} serial_number_replaced image_column_unread",
    ),
    "bigcommerce, before": read(
        "Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Price,Product Image ID - 1,"
        "Product Image File - 1,Product Image Description - 1,Product Image Is Thumbnail - 1,Product Image Sort - 1,"
        "Product Image URL - 1,Product Image ID - 2,Product Image File - 2,Product Image URL - 2\n"
        "Product,77,Mug,P,B-1,ACME,9,1,m/001/mug.jpg,Front,Y,0,U/1.jpg,2,m/002/mug.jpg,U/2.jpg\n"
        "  SKU,301,[S]Size=Small,,B-1-S,,,,,,,,,,,\n",
        "B-1|Mug|1.jpg 2.jpg",
        notes=f"{_JOINED} {_LISTED}",
    ),
    "bigcommerce, all pictures in a cell": read(
        "Item Type,Product ID,Product Name,Product Code/SKU,Product Images\n"
        'Product,77,Mug,B-1,"Product Image ID: 1, Product Image File: m/1.jpg, Product Image URL: U/1.jpg|'
        'Product Image ID: 2, Product Image File: m/2.jpg, Product Image URL: U/2.jpg"\n',
        "B-1|Mug|1.jpg 2.jpg",
        notes="labels_read",
    ),
    "bigcommerce, files alone": refuse(
        "Product ID,Product Name,Product Image File - 1,Product URL\n77,Mug,m/001/mug.jpg,U/p/1\n", 2, "https://"
    ),
    "etsy": read(
        "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,IMAGE2,IMAGE10,VARIATION 1 TYPE,SKU\n"
        'Mug,"A mug, red",12,EUR,3,"mug,tea",clay,U/1.jpg,U/2.jpg,U/10.jpg,,A1\n',
        "A1|Mug|1.jpg 2.jpg 10.jpg",
        notes=_LISTED,
    ),
    "etsy, without SKUs": read(
        "TITLE,DESCRIPTION,PRICE,IMAGE1,IMAGE2,SKU\nMug,x,12,U/1.jpg,U/2.jpg,\nCup,x,9,U/3.jpg,,C1\n",
        "Mug|Mug|1.jpg 2.jpg",
        "C1|Cup|3.jpg",
        notes=f"{_LISTED} serial_number_replaced",
    ),
    "etsy, without a column of SKUs": read(
        "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,MATERIALS,IMAGE1,IMAGE2,VARIATION 1 TYPE\nMug,x,12,EUR,clay,U/1.jpg,,\n"
        "Cup,x,9,EUR,clay,U/3.jpg,U/4.jpg,\n",
        "Mug|Mug|1.jpg",
        "Cup|Cup|3.jpg 4.jpg",
        notes=_LISTED,
    ),
    "matrixify": read(
        "ID,Handle,Title,Image Type,Image Src,Image Width,Variant SKU,Variant Image\n"
        "11,mug,Mug,IMAGE,U/1.jpg;U/2.jpg,100,S1,\n11,mug,,IMAGE,U/3.jpg,100,,\n",
        "mug|Mug|1.jpg 2.jpg 3.jpg",
        notes=f"{_JOINED} serial_number_chosen",
    ),
    "amazon": read(
        "TemplateType=fptcustom\tVersion=2021.1014\tTemplateSignature=SE9NRQ==\tsettings=x\tFor Amazon\t\t\t\n"
        "Product Type\tSeller SKU\tBrand Name\tProduct Name\tMain Image URL\tOther Image URL1\tOther Image URL2\t"
        "Swatch Image URL\n"
        "feed_product_type\titem_sku\tbrand_name\titem_name\tmain_image_url\tother_image_url1\tother_image_url2\t"
        "swatch_image_url\n"
        "mug\tA1\tACME\tMug\tU/1.jpg\tU/2.jpg\tU/3.jpg\tU/s.jpg\n",
        "A1|Mug|1.jpg 2.jpg 3.jpg",
        notes=f"lines_above_header {_LISTED} image_column_unread",
    ),
    "amazon since 2024": read(
        "settings=attributeRow=5\tVersion=2024\t\t\t\nListing Identity\t\tImages\t\t\n"
        "SKU\tItem Name\tMain Image URL\tOther Image URL\tSwatch Image URL\n"
        "contribution_sku#1.value\titem_name[marketplace_id=A1][language_tag=en_US]#1.value\t"
        "main_product_image_locator[marketplace_id=A1]#1.media_location\t"
        "other_product_image_locator_1[marketplace_id=A1]#1.media_location\t"
        "swatch_product_image_locator[marketplace_id=A1]#1.media_location\n"
        "A1\tMug\tU/1.jpg\tU/2.jpg\t\n",
        "A1|Mug|1.jpg 2.jpg",
        notes=f"lines_above_header {_LISTED}",
    ),
}
