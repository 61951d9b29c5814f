"""Where the header is, what stands above it and between the rows, and which delimiter a file has."""

from __future__ import annotations

from tests.unit.table.case import HEADER, Case, read, refuse

_ROW = "1,Mug,U/1.jpg\n"
_MUG = "1|Mug|1.jpg"
_ABOVE = "lines_above_header"

CASES: dict[str, Case] = {
    "a title above": read(f"Summer catalogue\n\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "a title with commas above": read(f"Summer, autumn, winter\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "a title of a spreadsheet above": read(f"Summer catalogue,,\n,,\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "another delimiter above": read(f"Supplier;ACME;2026\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "semicolons below a title with commas": read(
        "ACME, Ltd., Leeds, UK\nSKU;Name;Image\n1;Mug;U/1.jpg\n", _MUG, notes=_ABOVE
    ),
    "properties above": read(f'Created:,2026-11-28\nBy:,"Smith, J."\nRows:,1\n\n{HEADER}{_ROW}', _MUG, notes=_ABOVE),
    "a quoted title over lines above": read(f'"Summer\ncatalogue"\n{HEADER}{_ROW}', _MUG, notes=_ABOVE),
    "an open quote in the title": read(f'Catalogue of 5" pipes\n{HEADER}{_ROW}', _MUG, notes=_ABOVE),
    "an apostrophe in the title": read(f"ACME's catalogue\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "nineteen lines above": read("note\n" * 19 + HEADER + _ROW, _MUG, notes=_ABOVE),
    "twenty lines above": refuse("note\n" * 20 + HEADER + _ROW, 1, "header"),
    "blank lines above": read(f"\n\n\n{HEADER}{_ROW}", _MUG),
    "hash comments above": read(f"# ERP 4.2, do not edit\n# rows: 1\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "slash comments above": read(f"// exported\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "a comment before the header's names": read(f"#{HEADER}{_ROW}", _MUG),
    "a line of groups above": read(f"Product,,Pictures\n{HEADER}{_ROW}", _MUG, notes=_ABOVE),
    "names for people and for machines": read(
        "Serial Number,Product Name,Image URL\nsku,name,image_url\n1,Mug,U/1.jpg\n", _MUG, notes=_ABOVE
    ),
    "sep with semicolons": read("sep=;\nS. No.;Product Name;Images\n1;Mug;U/1.jpg\n", _MUG, notes=_ABOVE),
    "sep quoted": read('"sep=;"\nS. No.;Product Name;Images\n1;Mug;U/1.jpg\n', _MUG, notes=_ABOVE),
    "sep with tabs": read("sep=\t\nS. No.\tProduct Name\tImages\n1\tMug\tU/1.jpg\n", _MUG, notes=_ABOVE),
    "sep with a caret": read("sep=^\nS. No.^Product Name^Images\n1^Mug^U/1.jpg\n", _MUG, notes=_ABOVE),
    "sep in capitals": read("SEP=,\nS. No.,Product Name,Images\n1,Mug,U/1.jpg\n", _MUG, notes=_ABOVE),
    "sep that is wrong": read("sep=;\nS. No.,Product Name,Images\n1,Mug,U/1.jpg\n", _MUG, notes=_ABOVE),
    "a caret without sep": read("S. No.^Product Name^Images\n1^Mug^U/1.jpg\n", _MUG, notes="unusual_delimiter"),
    "tildes": read("S. No.~Product Name~Images\n1~Mug~U/1.jpg\n", _MUG, notes="unusual_delimiter"),
    "carets in the header alone": refuse("S. No.^Product Name^Images\n1,Mug,U/1.jpg\n", 1, "comma"),
    "colons": refuse("S. No.:Product Name:Images\n1:Mug:U/1.jpg\n", 1, "comma"),
    "broken bars": read("S. No.¦Product Name¦Images\n1¦Mug¦U/1.jpg\n", _MUG, notes="unusual_delimiter"),
    "full-width commas": refuse("S. No.，Product Name，Images\n1，Mug，U/1.jpg\n", 1, "comma"),  # noqa: RUF001
    "fixed width": refuse("S. No.  Product Name   Images\n1       Mug            U/1.jpg\n", 1, "comma"),
    "semicolons": read("S. No.;Product Name;Images\n1;Mug, red;U/1.jpg,U/2.jpg\n", "1|Mug, red|1.jpg 2.jpg"),
    "tabs": read("S. No.\tProduct Name\tImages\n1\tMug, red; big\tU/1.jpg\n", "1|Mug, red; big|1.jpg"),
    "bars": read("S. No.|Product Name|Images\n1|Mug|U/1.jpg,U/2.jpg\n", "1|Mug|1.jpg 2.jpg"),
    "bars with spaces": read("S. No. | Product Name | Images\n1 | Mug | U/1.jpg\n", _MUG),
    "commas with spaces": read("S. No. , Product Name , Images\n1 , Mug , U/1.jpg\n", _MUG),
    "commas with spaces and quotes": read(
        'S. No., Product Name, Images\n1, "Mug, red", "U/1.jpg"\n', "1|Mug, red|1.jpg"
    ),
    "commas in a quoted header of semicolons": read(
        '"S. No.";"Product Name";"Price, net";"Images"\n1;Mug;9,50;U/1.jpg\n', _MUG
    ),
    "a Markdown table": read(
        "| SKU | Name | Image |\n|-----|------|-------|\n| 1 | Mug | U/1.jpg |\n", _MUG, notes="ruler_left_out"
    ),
    "a Markdown table, aligned": read(
        "| SKU | Name | Image |\n|:---|:--:|---:|\n| 1 | Mug | U/1.jpg |\n", _MUG, notes="ruler_left_out"
    ),
    "a table of psql": read(
        " sku | name | image \n-----+------+-------\n 1   | Mug  | U/1.jpg\n", _MUG, notes="ruler_left_out"
    ),
    "a table of mysql": read(
        "+-----+------+\n| sku | name | image |\n+-----+------+\n| 1 | Mug | U/1.jpg |\n+-----+------+\n",
        _MUG,
        notes=f"{_ABOVE} ruler_left_out",
    ),
    "rows of another delimiter": refuse(f"{HEADER}1;Mug;U/1.jpg\n2;Cup;U/2.jpg\n", 1, "';'"),
    "rows of tabs below commas": refuse(f"{HEADER}1\tMug\tU/1.jpg\n", 1, "tabs"),
    "the header of another file comes": refuse(f"{HEADER}{_ROW}SKU,Name,Image\n2,Cup,U/2.jpg\n", 3, "URL"),
    "a footer of psql": refuse("sku|name|image\n1|Mug|U/1.jpg\n(1 row)\n", 3, "remove"),
    "the header alone": refuse(HEADER, 1, "no rows"),
    "the header and blank rows": refuse(f"{HEADER},,\n,,\n", 1, "no rows"),
    "no header": refuse("1,Mug,U/1.jpg\n2,Cup,U/2.jpg\n", 1, "header"),
    "no header, numbered columns": refuse("Column1,Column2,Column3\n1,Mug,U/1.jpg\n", 1, "rename"),
    "nothing but blank lines": refuse("\n\n\n", 1, "header"),
    "header with line breaks": read('"S.\nNo.","Product\nName","Input Image\nUrls"\n1,Mug,U/1.jpg\n', _MUG),
    "header in capitals": read(f"{HEADER.upper()}{_ROW}", _MUG),
    "header with invisible characters": read(
        "\u200bS. No.,Product\u00a0Name,Input Image Urls\u200b\n1,Mug,U/1.jpg\n", _MUG
    ),
    "a byte order mark twice": read(f"\ufeff\ufeff{HEADER}{_ROW}", _MUG),
    "a quoted header after a byte order mark": read('\ufeff"S. No.","Product Name","Images"\n1,Mug,U/1.jpg\n', _MUG),
    "trailing delimiters on every row": read(
        f"{HEADER.strip()},\n1,Mug,U/1.jpg,\n2,Cup,U/2.jpg,\n", _MUG, "2|Cup|2.jpg"
    ),
    "trailing delimiters on the rows alone": read(f"{HEADER}1,Mug,U/1.jpg,,,\n", _MUG),
    "unnamed columns": read("S. No.,Product Name,,Images,\n1,Mug,red,U/1.jpg,x\n", _MUG),
    "unnamed columns with commas": read(",S. No.,Product Name,Images\n0,1,Mug,U/1.jpg\n", _MUG),
    "the header comes again": read(
        f"{HEADER}{_ROW}{HEADER}2,Cup,U/2.jpg\n", _MUG, "2|Cup|2.jpg", notes="header_repeated"
    ),
    "a thousand columns": read(f"{','.join(f'c{n}' for n in range(997))},{HEADER}{',' * 997}1,Mug,U/1.jpg\n", _MUG),
    "more than a thousand columns": refuse(
        f"{','.join(f'c{n}' for n in range(998))},{HEADER}{',' * 998}1,Mug,U/1.jpg\n", 1, "1,000"
    ),
}
