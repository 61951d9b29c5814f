"""Rows: ends of lines, blank and foreign rows, cells too many or too few, products on several rows."""

from __future__ import annotations

from tests.unit.table.case import HEADER, Case, read, refuse

_ROW = "1,Mug,U/1.jpg\n"
_MUG = "1|Mug|1.jpg"
_CUP = "2|Cup|2.jpg"
_NOTED = "S. No.,Product Name,Input Image Urls,Note\n"
_PRICED = "S. No.,Product Name,Price,Input Image Urls\n"
_JOINED = "rows_joined"

CASES: dict[str, Case] = {
    "lone carriage returns": read(f"{HEADER}{_ROW}2,Cup,U/2.jpg\n".replace("\n", "\r"), _MUG, _CUP),
    "mixed ends of lines": read(f"{HEADER}1,Mug,U/1.jpg\r\n2,Cup,U/2.jpg\r3,Jug,U/3.jpg\n", _MUG, _CUP, "3|Jug|3.jpg"),
    "carriage returns twice": read(f"{HEADER}1,Mug,U/1.jpg\r\r\n2,Cup,U/2.jpg\r\r\n", _MUG, _CUP),
    "no end of the last line": read(f"{HEADER}1,Mug,U/1.jpg", _MUG),
    "a line separator in a name": read(f"{HEADER}1,Mug\u2028red,U/1.jpg\n", "1|Mug\u2028red|1.jpg"),
    "a next-line character in a name": read(f"{HEADER}1,Mug\x85red,U/1.jpg\n", "1|Mug\x85red|1.jpg"),
    "a form feed between rows": read(f"{HEADER}{_ROW}\x0c\n2,Cup,U/2.jpg\n", _MUG, _CUP),
    "NUL at the end": refuse(f"{HEADER}{_ROW}" + "\n" * 400 + "\0" * 9, 403, "NUL"),
    "a NUL in a name": refuse(f"{HEADER}1,M\0ug,U/1.jpg\n", 2, "NUL"),
    "Ctrl-Z at the end": read(f"{HEADER}{_ROW}\x1a", _MUG),
    "a byte order mark in the middle": read(
        f"{HEADER}{_ROW}\ufeff2,Cup,U/2.jpg\n", _MUG, "\ufeff2|Cup|2.jpg", notes="invisible_kept"
    ),
    "files glued together": read(f"{HEADER}{_ROW}\ufeff{HEADER}2,Cup,U/2.jpg\n", _MUG, _CUP, notes="header_repeated"),
    "no-break spaces around cells": read(f"{HEADER}\u00a01\u00a0,\u00a0Mug\u00a0,\u00a0U/1.jpg\u00a0\n", _MUG),
    "tabs around cells": read(f"{HEADER}\t1\t,\tMug\t,\tU/1.jpg\t\n", _MUG),
    "spaces to a width": read(f"{HEADER}1     ,Mug          ,U/1.jpg\n", _MUG),
    "blank rows between groups": read(f"{HEADER}{_ROW},,\n\n , , \n2,Cup,U/2.jpg\n", _MUG, _CUP),
    "blank rows at the end": read(f"{HEADER}{_ROW}" + ",,\n" * 3000, _MUG),
    "a comma in a name and a cell too few": refuse(f"{_NOTED}1,Mug, red,U/1.jpg\n", 2, "earlier cell"),
    "a row of rulers": read(f"{HEADER}{_ROW}---,---,---\n", _MUG, notes="ruler_left_out"),
    "a total": refuse(f"{HEADER}{_ROW}Total: 1 product,,\n", 3, "remove"),
    "a total of a price": refuse(f"{_PRICED}1,Mug,9,U/1.jpg\n,Total,9,\n", 3, "serial number"),
    "a footer without delimiters": refuse(f"{HEADER}{_ROW}End of report\n", 3, "cell"),
    "a comment between rows": refuse(f"{HEADER}{_ROW}# below: new\n2,Cup,U/2.jpg\n", 3, "cell"),
    "a heading of a group": refuse(f"{HEADER}Mugs,,\n{_ROW}", 2, "name is empty"),
    "a comma in a name": refuse(f"{HEADER}1,Mug, red,U/1.jpg\n", 2, "quot", "Mug,red"),
    "two commas in a name": refuse(f"{HEADER}1,Mug, red, big,U/1.jpg\n", 2, "quot", "Mug,red,big"),
    "a decimal comma": refuse(f"{_PRICED}1,Mug,12,50,U/1.jpg\n", 2, "quot", "12,50"),
    "a decimal comma on every row": refuse(f"{_PRICED}1,Mug,12,50,U/1.jpg\n2,Cup,8,00,U/2.jpg\n", 2, "quot"),
    "a decimal comma with semicolons": read("SKU;Name;Price;Image\n1;Mug;12,50;U/1.jpg\n", _MUG),
    "a comma in a note": refuse(f"{_NOTED}1,Mug,U/1.jpg,nice, blue\n", 2, "quot", "nice,blue"),
    "URLs in cells of their own": read(
        f"{HEADER}1,Mug,U/1.jpg,U/2.jpg,U/3.jpg\n", "1|Mug|1.jpg 2.jpg 3.jpg", notes="surplus_urls_read"
    ),
    "URLs in cells before a note": read(
        f"{_NOTED}1,Mug,U/1.jpg,U/2.jpg,blue\n", "1|Mug|1.jpg 2.jpg", notes="surplus_urls_read"
    ),
    "URLs in cells and a comma in a note": refuse(f"{_NOTED}1,Mug,U/1.jpg,U/2.jpg,nice, blue\n", 2, "quot"),
    "too few cells": refuse(f"{HEADER}1,Mug\n", 2, "2 cells", "header 3"),
    "one cell": refuse(f"{HEADER}Mug\n", 2, "1 cell,"),
    "too few cells after ours": read(f"{_NOTED}1,Mug,U/1.jpg\n", _MUG),
    "a name that is a URL": refuse("#,Images,Name,Note\n1,U/1.jpg,U/2.jpg,Mug\n", 2, "name"),
    "a serial number that is a URL": refuse(f"{HEADER}U/1.jpg,Mug,U/1.jpg\n", 2, "serial number", "URL"),
    "columns in another order than the rows": refuse(f"{HEADER}1,U/1.jpg,Mug\n", 2, "URL"),
    "merged cells": read(
        f"{HEADER}1,Mug,U/1.jpg\n,,U/2.jpg\n2,Cup,U/3.jpg\n", "1|Mug|1.jpg 2.jpg", "2|Cup|3.jpg", notes=_JOINED
    ),
    "merged cells, the first row blank": refuse(f"{HEADER},,U/1.jpg\n1,Mug,U/2.jpg\n", 2, "serial number"),
    "a row for each picture": read(
        f"{HEADER}1,Mug,U/1.jpg\n1,Mug,U/2.jpg\n2,Cup,U/3.jpg\n", "1|Mug|1.jpg 2.jpg", "2|Cup|3.jpg", notes=_JOINED
    ),
    "a row for each picture, apart": refuse(
        f"{HEADER}1,Mug,U/1.jpg\n2,Cup,U/3.jpg\n1,Mug,U/2.jpg\n", 4, "below line 2"
    ),
    "a serial number with another name": refuse(f"{HEADER}1,Mug,U/1.jpg\n1,Cup,U/2.jpg\n", 3, "already on line 2"),
    "a name without a serial number": refuse(f"{HEADER}1,Mug,U/1.jpg\n,Mug,U/2.jpg\n", 3, "serial number"),
    "a serial number without a name": refuse(f"{HEADER}1,Mug,U/1.jpg\n2,,U/2.jpg\n", 3, "name is empty"),
    "no picture": refuse(f"{HEADER}1,Mug,\n", 2, "no image URL"),
    "shortened numbers": refuse(f"{HEADER}8.90123E+12,Mug,U/1.jpg\n8.90123E+12,Cup,U/2.jpg\n", 3, "Excel"),
    "shortened numbers with a decimal comma": refuse(
        "S. No.;Name;Image\n8,90123E+12;Mug;U/1.jpg\n8,90123E+12;Cup;U/2.jpg\n", 3, "Excel"
    ),
    "a shortened number": read(
        f"{HEADER}8.90123E+12,Mug,U/1.jpg\n", "8.90123E+12|Mug|1.jpg", notes="serial_number_shortened"
    ),
    "text by a formula": read(f'{HEADER}="00123",Mug,U/1.jpg\n', "00123|Mug|1.jpg"),
    "text by a formula, quoted": read(f'{HEADER}"=""00123""",Mug,U/1.jpg\n', "00123|Mug|1.jpg"),
    "text by an apostrophe": read(f"{HEADER}'00123,Mug,U/1.jpg\n", "'00123|Mug|1.jpg"),
    "leading zeros": read(f"{HEADER}001,Mug,U/1.jpg\n", "001|Mug|1.jpg"),
    "numbers with dots": read(f"{HEADER}1.,Mug,U/1.jpg\n2.,Cup,U/2.jpg\n", "1.|Mug|1.jpg", "2.|Cup|2.jpg"),
    "a formula that failed": refuse(f"{HEADER}#REF!,Mug,U/1.jpg\n", 2, "formula"),
    "a name that failed": refuse(f"{HEADER}1,#N/A,U/1.jpg\n", 2, "formula"),
}
