"""Lines above, between and below the rows, delimiters, ends of lines, quotes, serial numbers."""

from __future__ import annotations

from tests.unit.table.case import HEADER, Case, read, refuse

# fmt: off  - a file is a line

CASES: dict[str, Case] = {
    "header again in capitals": read(
        HEADER + "1,Mug,U/1.jpg\nS. NO.,PRODUCT NAME,INPUT IMAGE URLS\n2,Cup,U/2.jpg\n",
        "1|Mug|1.jpg",
        "2|Cup|2.jpg",
        notes="header_repeated",
    ),
    "header again in lower case": read(
        HEADER + "1,Mug,U/1.jpg\ns. no.,product name,input image urls\n2,Cup,U/2.jpg\n",
        "1|Mug|1.jpg",
        "2|Cup|2.jpg",
        notes="header_repeated",
    ),
    "header again with spaces": read(
        HEADER + "1,Mug,U/1.jpg\nS. No. , Product Name , Input Image Urls\n2,Cup,U/2.jpg\n",
        "1|Mug|1.jpg",
        "2|Cup|2.jpg",
        notes="header_repeated",
    ),
    "header again, other punctuation": read(
        HEADER + "1,Mug,U/1.jpg\nS No,Product Name,Input Image URLs\n2,Cup,U/2.jpg\n",
        "1|Mug|1.jpg",
        "2|Cup|2.jpg",
        notes="header_repeated",
    ),
    "header again quoted": read(
        HEADER + '1,Mug,U/1.jpg\n"S. No.","Product Name","Input Image Urls"\n2,Cup,U/2.jpg\n',
        "1|Mug|1.jpg",
        "2|Cup|2.jpg",
        notes="header_repeated",
    ),
    "header again with columns of ours blank": read(
        "S. No.,Product Name,Input Image Urls,Note\n1,Mug,U/1.jpg,x\nS. No.,Product Name,Input Image Urls,Note\n2,Cup,U/2.jpg,y\n",
        "1|Mug|1.jpg",
        "2|Cup|2.jpg",
        notes="header_repeated",
    ),
    "another header with other columns": refuse(HEADER + "1,Mug,U/1.jpg\nSKU,Price,Image\n2,Cup,U/2.jpg\n", 3, "Image"),
    "header again after a blank line and a title": read(
        HEADER + "1,Mug,U/1.jpg\n\nS. No.,Product Name,Input Image Urls\n2,Cup,U/2.jpg\n",
        "1|Mug|1.jpg",
        "2|Cup|2.jpg",
        notes="header_repeated",
    ),
    "etsy two listings of one title, other pictures": read(
        "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,IMAGE2,SKU\nMug,a,12,USD,1,t,m,U/1.jpg,U/2.jpg,\nMug,b,13,USD,1,t,m,U/3.jpg,U/4.jpg,\n",
        "Mug|Mug|1.jpg 2.jpg",
        "Mug (2)|Mug|3.jpg 4.jpg",
        notes="image_columns_joined listings_numbered serial_number_replaced",
    ),
    "serials that became dates": read(
        HEADER + "01-Feb,Mug,U/1.jpg\n02-Feb,Cup,U/2.jpg\n", "01-Feb|Mug|1.jpg", "02-Feb|Cup|2.jpg", notes="date_read"
    ),
    "serials that became dates of a year": read(
        HEADER + "Feb-01,Mug,U/1.jpg\nMar-02,Cup,U/2.jpg\n", "Feb-01|Mug|1.jpg", "Mar-02|Cup|2.jpg", notes="date_read"
    ),
    "a barcode column shortened": read(
        "SKU,Barcode,Product Name,Image\nA1,8.90123E+12,Mug,U/1.jpg\n",
        "A1|Mug|1.jpg",
        notes="numbers_shortened serial_number_chosen",
    ),
    "names that became dates": read(HEADER + "1,12-Mar,U/1.jpg\n", "1|12-Mar|1.jpg", notes="date_read"),
    "serial date time": read("SKU,Name,Image\n2024-02-01 00:00:00,Mug,U/1.jpg\n", "2024-02-01 00:00:00|Mug|1.jpg"),
    "numbers table title": read(
        "Table 1\nS. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg\n", "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "csv with filename line": read(
        "products.csv\n\nS. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg\n",
        "1|Mug|1.jpg",
        notes="lines_above_header",
    ),
    "exported on": read(
        "Exported on: 2024-01-02 10:00,,\nS. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg\n",
        "1|Mug|1.jpg",
        notes="lines_above_header",
    ),
    "two title lines with commas": read(
        "Acme Ltd, Berlin\nSpring, 2024\nS. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg\n",
        "1|Mug|1.jpg",
        notes="lines_above_header",
    ),
    "merged title row": read(
        "Catalogue,,\n,,\nS. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg\n",
        "1|Mug|1.jpg",
        notes="lines_above_header",
    ),
    "row numbers above": read(
        "A,B,C\nS. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg\n", "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "sap report": refuse(
        "| Material | Name | URL |\n|---|---|---|\n| 1 | Mug | U/1.jpg |\n", 1, "rename 'Material' to 'S. No.'."
    ),
    "pipes outside": read("|S. No.|Product Name|Input Image Urls|\n|1|Mug|U/1.jpg|\n", "1|Mug|1.jpg"),
    "leading delimiter on all rows": read(",S. No.,Product Name,Input Image Urls\n,1,Mug,U/1.jpg\n", "1|Mug|1.jpg"),
    "pandas index": read(",SKU,Name,Image\n0,A1,Mug,U/1.jpg\n1,A2,Cup,U/2.jpg\n", "A1|Mug|1.jpg", "A2|Cup|2.jpg"),
    "pandas index named": read("Unnamed: 0,SKU,Name,Image\n0,A1,Mug,U/1.jpg\n", "A1|Mug|1.jpg"),
    "R row names one short header": refuse('"SKU","Name","Image"\n"1","A1","Mug","U/1.jpg"\n', 2, "4 cells"),
    "trailing semicolons": read("S. No.;Product Name;Input Image Urls;;\n1;Mug;U/1.jpg;;\n", "1|Mug|1.jpg"),
    "total with sum": refuse(HEADER + "1,Mug,U/1.jpg\n2,Cup,U/2.jpg\nTotal,,\n", 4, "remove"),
    "total count": refuse(HEADER + "1,Mug,U/1.jpg\nCount: 1\n", 3, "cell"),
    "empty last line with spaces": read(HEADER + "1,Mug,U/1.jpg\n   \n", "1|Mug|1.jpg"),
    "empty quoted last line": read(HEADER + '1,Mug,U/1.jpg\n""\n', "1|Mug|1.jpg"),
    "quoted blanks": read(HEADER + '1,Mug,U/1.jpg\n"","",""\n', "1|Mug|1.jpg"),
    "dashes footer": read(HEADER + "1,Mug,U/1.jpg\n-----\n", "1|Mug|1.jpg", notes="ruler_left_out"),
    "only blank lines between": read(HEADER + "\n\n1,Mug,U/1.jpg\n\n\n2,Cup,U/2.jpg\n", "1|Mug|1.jpg", "2|Cup|2.jpg"),
    "psql count": refuse(HEADER + "1,Mug,U/1.jpg\n(1 row)\n", 3, "cell"),
    "comment after header": refuse(HEADER + "# required\n1,Mug,U/1.jpg\n", 2, "cell"),
    "explanation row below header": refuse(
        HEADER + "Unique number,Name of the product,Links separated by commas\n1,Mug,U/1.jpg\n", 2, "URL"
    ),
    "required row below header": refuse(HEADER + "required,required,required\n1,Mug,U/1.jpg\n", 2, "URL"),
    "example row": refuse(HEADER + "e.g. 1,e.g. Mug,e.g. https://...\n1,Mug,U/1.jpg\n", 2, "URL"),
    "types row": refuse(HEADER + "text,text,url\n1,Mug,U/1.jpg\n", 2, "URL"),
    "tab with commas in names": read(
        "S. No.\tProduct Name\tInput Image Urls\n1\tMug, red\tU/1.jpg\n", "1|Mug, red|1.jpg"
    ),
    "tab with list by commas": read(
        "S. No.\tProduct Name\tInput Image Urls\n1\tMug\tU/1.jpg,U/2.jpg\n", "1|Mug|1.jpg 2.jpg"
    ),
    "semicolon with list by commas": read(
        "S. No.;Product Name;Input Image Urls\n1;Mug;U/1.jpg,U/2.jpg\n", "1|Mug|1.jpg 2.jpg"
    ),
    "semicolon with list by semicolons in quotes": read(
        'S. No.;Product Name;Input Image Urls\n1;Mug;"U/1.jpg;U/2.jpg"\n', "1|Mug|1.jpg 2.jpg"
    ),
    "semicolon list unquoted": read(
        "S. No.;Product Name;Input Image Urls\n1;Mug;U/1.jpg;U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="surplus_urls_read"
    ),
    "comma list unquoted": read(HEADER + "1,Mug,U/1.jpg,U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="surplus_urls_read"),
    "pipe with list by commas": read(
        "S. No.|Product Name|Input Image Urls\n1|Mug|U/1.jpg,U/2.jpg\n", "1|Mug|1.jpg 2.jpg"
    ),
    "pipe list unquoted": read(
        "S. No.|Product Name|Input Image Urls\n1|Mug|U/1.jpg|U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="surplus_urls_read"
    ),
    "sep then bom": read(
        "sep=,\nS. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg\n", "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "bom then sep": read(
        "\ufeffsep=;\nS. No.;Product Name;Input Image Urls\n1;Mug;U/1.jpg\n", "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "sep with cr only": read(
        "sep=;\rS. No.;Product Name;Input Image Urls\r1;Mug;U/1.jpg\r", "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "sep quoted then blank": read(
        '"sep=;"\n\nS. No.;Product Name;Input Image Urls\n1;Mug;U/1.jpg\n', "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "sep space": read(
        "sep=; \nS. No.;Product Name;Input Image Urls\n1;Mug;U/1.jpg\n", "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "sep escaped tab": read(
        "sep=\\t\nS. No.\tProduct Name\tInput Image Urls\n1\tMug\tU/1.jpg\n", "1|Mug|1.jpg", notes="lines_above_header"
    ),
    "crlf and lf": read(
        "S. No.,Product Name,Input Image Urls\r\n1,Mug,U/1.jpg\n2,Cup,U/2.jpg\n", "1|Mug|1.jpg", "2|Cup|2.jpg"
    ),
    "lf in header cell": read('S. No.,"Product\nName","Input\nImage Urls"\n1,Mug,U/1.jpg\n', "1|Mug|1.jpg"),
    "crcrlf": read(
        "S. No.,Product Name,Input Image Urls\r\r\n1,Mug,U/1.jpg\r\r\n2,Cup,U/2.jpg\r\r\n", "1|Mug|1.jpg", "2|Cup|2.jpg"
    ),
    "nel ends": refuse("S. No.,Product Name,Input Image Urls\x851,Mug,U/1.jpg\x85", 1, "line"),
    "ls ends": refuse("S. No.,Product Name,Input Image Urls\u20281,Mug,U/1.jpg\u2028", 1, "line"),
    "vt ends": refuse("S. No.,Product Name,Input Image Urls\x0b1,Mug,U/1.jpg\x0b", 1, "line"),
    "literal backslash n ends": refuse("S. No.,Product Name,Input Image Urls\\n1,Mug,U/1.jpg\\n", 1, "line"),
    "rs ends": refuse("S. No.,Product Name,Input Image Urls\x1e1,Mug,U/1.jpg\x1e", 1, "line"),
    "mid cell quotes": read(HEADER + '1,Mug "big",U/1.jpg\n', '1|Mug "big"|1.jpg'),
    "inches unquoted": read(HEADER + '1,5" mug,U/1.jpg\n', '1|5" mug|1.jpg'),
    "inch and feet": read(HEADER + "1,5' 6\" pole,U/1.jpg\n", "1|5' 6\" pole|1.jpg"),
    "stray quote start": refuse(HEADER + '1,"Mug" big,U/1.jpg\n', 2, "quote"),
    "quote with comma inside": read(HEADER + '1,"Mug, ""big""",U/1.jpg\n', '1|Mug, "big"|1.jpg'),
    "curly quoted comma": refuse(HEADER + "1,“Mug, big”,U/1.jpg\n", 2, "quot"),
    "single quoted comma": refuse(HEADER + "1,'Mug, big',U/1.jpg\n", 2, "quot"),
    "backslash comma": refuse(HEADER + "1,Mug\\, big,U/1.jpg\n", 2, "quot"),
    "mysql backslash N": read("S. No.,Product Name,Input Image Urls,Note\n1,Mug,U/1.jpg,\\N\n", "1|Mug|1.jpg"),
    "newline in quoted name": read(HEADER + '1,"Mug\nred",U/1.jpg\n', "1|Mug\nred|1.jpg"),
    "trailing newline in name": read(HEADER + '1,"Mug\n",U/1.jpg\n', "1|Mug|1.jpg"),
    "cr in quoted name": read(HEADER + '1,"Mug\rred",U/1.jpg\n', "1|Mug\rred|1.jpg"),
    "url split over lines quoted": refuse(HEADER + '1,Mug,"U/a\nb.jpg"\n', 2, "https"),
    "unquoted newline in name": refuse(HEADER + "1,Mug\nred,U/1.jpg\n", 2, "2 cells"),
    "html description": read(
        'SKU,Name,Description,Image\n1,Mug,"<p class=""x"">A, b</p>\n<ul><li>c</li></ul>",U/1.jpg\n', "1|Mug|1.jpg"
    ),
    "description with url": read('SKU,Name,Description,Image\n1,Mug,"See U/page, or call",U/1.jpg\n', "1|Mug|1.jpg"),
    "output column in the middle": read(
        "S. No.,Product Name,Output Image Urls,Input Image Urls\n1,Mug,U/o.jpg,U/1.jpg\n", "1|Mug|1.jpg"
    ),
    "error column first": read("Error,S. No.,Product Name,Input Image Urls\nfailed,1,Mug,U/1.jpg\n", "1|Mug|1.jpg"),
    "duplicate headings of notes": read(
        "S. No.,Product Name,Note,Note,Input Image Urls\n1,Mug,a,b,U/1.jpg\n", "1|Mug|1.jpg"
    ),
    "heading with trailing dot spaces": read(
        " S. No. , Product Name. , Input Image Urls: \n1,Mug,U/1.jpg\n", "1|Mug|1.jpg"
    ),
    "html in headings": read(
        "<b>S. No.</b>,<b>Product Name</b>,<b>Input Image Urls</b>\n1,Mug,U/1.jpg\n", "1|Mug|1.jpg"
    ),
    "quoted with single": read(
        "'S. No.','Product Name','Input Image Urls'\n'1','Mug','U/1.jpg'\n", "1|Mug|1.jpg", notes="single_quotes_read"
    ),
    "header only no newline": refuse("S. No.,Product Name,Input Image Urls", 1, "row"),
    "empty quoted file": refuse('""\n', 1, "header"),
    "bom only": refuse("\ufeff", 1, "header"),
    "one column of urls": refuse("U/1.jpg\nU/2.jpg\n", 1, "header"),
    "urls with heading only": refuse("Image\nU/1.jpg\n", 1, "serial"),
    "two tables side by side": refuse(
        "S. No.,Product Name,Input Image Urls,,S. No.,Product Name,Input Image Urls\n1,Mug,U/1.jpg,,2,Cup,U/2.jpg\n",
        1,
        "rename or remove",
    ),
    "second table below": refuse(
        HEADER + "1,Mug,U/1.jpg\n\nSupplier,City,Phone\nAcme,Berlin,1\n", 4, "//your-shop/picture.jpg; a space inside "
    ),
    "second table of the same kind below": refuse(
        HEADER + "1,Mug,U/1.jpg\n\n\nMugs 2\n\nS. No.,Product Name,Input Image Urls\n2,Cup,U/2.jpg\n", 5, "cell"
    ),
    "blank serials merged after blank line": read(
        HEADER + "1,Mug,U/1.jpg\n\n,,U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="rows_joined"
    ),
    "merged names only": read(HEADER + "1,Mug,U/1.jpg\n1,,U/2.jpg\n", "1|Mug|1.jpg 2.jpg", notes="rows_joined"),
    "same serial other name": refuse(HEADER + "1,Mug,U/1.jpg\n1,Cup,U/2.jpg\n", 3, "already"),
    "same serial other case name": refuse(HEADER + "1,Mug,U/1.jpg\n1,MUG,U/2.jpg\n", 3, "already"),
    "serial zero and spaces": read(HEADER + "0,Mug,U/1.jpg\n 00 ,Cup,U/2.jpg\n", "0|Mug|1.jpg", "00|Cup|2.jpg"),
    "float serials": read(HEADER + "1.0,Mug,U/1.jpg\n2.0,Cup,U/2.jpg\n", "1.0|Mug|1.jpg", "2.0|Cup|2.jpg"),
    "serials with hash": read(HEADER + "#1,Mug,U/1.jpg\n#2,Cup,U/2.jpg\n", "#1|Mug|1.jpg", "#2|Cup|2.jpg"),
    "rtl marks serial": read(HEADER + "\u200e1,Mug,U/1.jpg\n", "\u200e1|Mug|1.jpg"),
    "full width digits": read(HEADER + "１,Mug,U/1.jpg\n", "１|Mug|1.jpg"),
    "arabic digits": read(HEADER + "١,Mug,U/1.jpg\n", "١|Mug|1.jpg"),
    "emoji name": read(HEADER + "1,Mug 🦄,U/1.jpg\n", "1|Mug 🦄|1.jpg"),
    "name with equals": read(HEADER + "1,=Mug,U/1.jpg\n", "1|=Mug|1.jpg"),
    "name with at": read(HEADER + "1,@home mug,U/1.jpg\n", "1|@home mug|1.jpg"),
    "name with minus": read(HEADER + "1,-50% mug,U/1.jpg\n", "1|-50% mug|1.jpg"),
    "guarded name": read(HEADER + "1,'=Mug,U/1.jpg\n", "1|=Mug|1.jpg"),
}
