"""Quotes: of other kinds, left open, inside cells, escaped by backslashes, around whole rows."""

from __future__ import annotations

from tests.unit.table.case import HEADER, Case, read, refuse

_MUG = "1|Mug|1.jpg"
_CUP = "2|Cup|2.jpg"
_NOTED = "S. No.,Product Name,Input Image Urls,Note\n"

CASES: dict[str, Case] = {
    "all cells quoted": read('"S. No.","Product Name","Images"\n"1","Mug","U/1.jpg"\n', _MUG),
    "quotes doubled": read(f'{HEADER}1,"Pipe 5""",U/1.jpg\n', '1|Pipe 5"|1.jpg'),
    "a bare inch": read(f'{HEADER}1,Pipe 5",U/1.jpg\n2,Cup,U/2.jpg\n', '1|Pipe 5"|1.jpg', _CUP),
    "bare inches on all rows": read(
        f'{HEADER}1,Pipe 5",U/1.jpg\n2,Tube 6",U/2.jpg\n', '1|Pipe 5"|1.jpg', '2|Tube 6"|2.jpg'
    ),
    "a bare quoted word": read(f'{HEADER}1,The "Big" mug,U/1.jpg\n', '1|The "Big" mug|1.jpg'),
    "quotes doubled in a bare cell": read(f'{HEADER}1,Pipe 5"",U/1.jpg\n', '1|Pipe 5""|1.jpg'),
    "an inch not doubled": refuse(f'{HEADER}1,"Pipe 5" red",U/1.jpg\n2,Cup,U/2.jpg\n', 2, "quot"),
    "an inch not doubled at the end": refuse(
        f'{HEADER}1,"Pipe 5"",U/1.jpg\n2,Tube 6",U/2.jpg\n3,Cup,U/3.jpg\n', 2, "quot"
    ),
    "a quote at the start of a name": refuse(f'{HEADER}1,"Big" mug,U/1.jpg\n', 2, "quot"),
    "a quote never closed": refuse(f'{HEADER}1,"Mug,U/1.jpg\n2,Cup,U/2.jpg\n', 2, "never closed"),
    "a quote never closed in the last column": refuse(f'{HEADER}1,Mug,"U/1.jpg\n2,Cup,U/2.jpg\n', 2, "quot"),
    "a quote closed rows later": refuse(f'{HEADER}1,"Mug,U/1.jpg\n2,Cup,U/2.jpg\n3,"Jug",U/3.jpg\n', 2, "quot"),
    "a note that swallows rows": refuse(
        f'{_NOTED}1,Mug,U/1.jpg,"new\n2,Cup,U/2.jpg,old\n3,Jug,U/3.jpg,new"\n', 2, "quot"
    ),
    "a picture cell that swallows a row": refuse(f'{HEADER}1,Mug,"U/1.jpg\n2,Cup,U/2.jpg"\n', 2, "quot"),
    "a serial number that swallows a row": refuse(f'{HEADER}"1,Mug,U/1.jpg\n2",Cup,U/2.jpg\n', 2, "quot"),
    "a name of two lines": read(f'{HEADER}1,"Mug\nred",U/1.jpg\n', "1|Mug\nred|1.jpg"),
    "a description with a page": read(f'{_NOTED}1,Mug,U/1.jpg,"see\nU/page, or call"\n', _MUG),
    "a description in HTML": read(f'{_NOTED}1,Mug,U/1.jpg,"<p class=""a"">A, b</p>\n<img src=""U/x.png"">"\n', _MUG),
    "pictures on lines of a cell": read(f'{HEADER}1,Mug,"U/1.jpg\nU/2.jpg"\n', "1|Mug|1.jpg 2.jpg"),
    "white space after a quote": read(f'{HEADER}1,"Mug" ,"U/1.jpg" \n', _MUG, notes="blank_after_quote"),
    "white space before a quote": read(f'{HEADER}1, "Mug", "U/1.jpg"\n', _MUG),
    "single quotes": read(
        "'S. No.','Product Name','Images'\n'1','Mug','U/1.jpg,U/2.jpg'\n",
        "1|Mug|1.jpg 2.jpg",
        notes="single_quotes_read",
    ),
    "single quotes on the rows alone": read(
        f"{HEADER}'1','Mug, red','U/1.jpg'\n'2','Cup','U/2.jpg'\n", "1|Mug, red|1.jpg", _CUP, notes="single_quotes_read"
    ),
    "single quotes with semicolons": read(
        "'SKU';'Name';'Image'\n'1';'Mug; red';'U/1.jpg'\n", "1|Mug; red|1.jpg", notes="single_quotes_read"
    ),
    "apostrophes in names": read(
        f"{HEADER}1,Smith's mug,U/1.jpg\n2,Men's cup,U/2.jpg\n", "1|Smith's mug|1.jpg", "2|Men's cup|2.jpg"
    ),
    "an apostrophe before a name": read(f"{HEADER}1,'t Mug,U/1.jpg\n", "1|'t Mug|1.jpg"),
    "single quotes around a name": read(f"{HEADER}1,'Mug',U/1.jpg\n2,Cup,U/2.jpg\n", "1|'Mug'|1.jpg", _CUP),
    "guards of formulas in a file of ours": read(
        f"{HEADER.strip()},Error\n'=1,'=2,U/1.jpg,'=no\n'-3,'+4,U/2.jpg,'@no\n", "=1|=2|1.jpg", "-3|+4|2.jpg"
    ),
    "a name of a backslash and a quote": read(f'{HEADER}1,"\\""",U/1.jpg\n', '1|\\"|1.jpg'),
    "curly quotes around cells": refuse(f"{HEADER}“1”,“Mug, red”,“U/1.jpg”\n", 2, "quot"),
    "curly quotes around a name": read(f"{HEADER}1,“Mug”,U/1.jpg\n", "1|“Mug”|1.jpg"),
    "curly quotes around pictures": read(
        f"{HEADER}1,Mug,“U/1.jpg,U/2.jpg”\n", "1|Mug|1.jpg 2.jpg", notes="surplus_urls_read"
    ),
    "backslashes before quotes": read(
        f'{HEADER}1,"Pipe 5\\" red",U/1.jpg\n2,Cup,U/2.jpg\n', '1|Pipe 5" red|1.jpg', _CUP, notes="backslashes_read"
    ),
    "backslashes before quotes and a comma": read(
        f'{HEADER}1,"Pipe 5\\", red",U/1.jpg\n2,Cup,U/2.jpg\n', '1|Pipe 5", red|1.jpg', _CUP, notes="backslashes_read"
    ),
    "a backslash before the last quote": read(
        f'{HEADER}1,"Pipe 5\\"",U/1.jpg\n2,Cup,U/2.jpg\n', '1|Pipe 5"|1.jpg', _CUP, notes="backslashes_read"
    ),
    "backslashes in a JSON list": read(
        f'{HEADER}1,Mug,"[\\"U/1.jpg\\",\\"U/2.jpg\\"]"\n', "1|Mug|1.jpg 2.jpg", notes="backslashes_read json_read"
    ),
    "a folder that ends in a backslash": read(f'{_NOTED}1,Mug,U/1.jpg,"C:\\pictures\\"\n2,Cup,U/2.jpg,x\n', _MUG, _CUP),
    "a backslash in a name": read(f'{HEADER}1,"AC\\DC mug",U/1.jpg\n', "1|AC\\DC mug|1.jpg"),
    "whole rows quoted": refuse('"S. No.,Product Name,Images"\n"1,Mug,U/1.jpg"\n', 1, "quot"),
    "whole rows quoted, the header not": refuse(f'{HEADER}"1,Mug,U/1.jpg"\n"2,Cup,U/2.jpg"\n', 2, "quot"),
    "whole rows quoted, with quotes inside": refuse(
        '"S. No.,Product Name,Images"\n"1,""Mug, red"",U/1.jpg"\n', 1, "quot"
    ),
    "rows quoted by pandas": refuse('"S. No.;Product Name;Images"\n"1;Mug;U/1.jpg"\n', 1, "quot"),
    "a row of Excel quoted three times": refuse(f'{HEADER}"1,""Mug"",U/1.jpg"\n', 2, "quot"),
    "three quotes": read(f'{HEADER}1,"""Mug""",U/1.jpg\n', '1|"Mug"|1.jpg'),
    "an empty quoted cell": read(f'{_NOTED}1,Mug,U/1.jpg,""\n', _MUG),
    "a lone quote in a note": refuse(f'{_NOTED}1,Mug,U/1.jpg,"\n2,Cup,U/2.jpg,x\n', 2, "quote"),
    "double primes": read(f"{HEADER}1,Pipe 5″,U/1.jpg\n", "1|Pipe 5″|1.jpg"),
}
