"""Write docs/reference/file-messages.md from what the reader says to small files: `python -m scripts.file_messages`."""

from __future__ import annotations

import io
from pathlib import Path

from imgproc.core.errors import InvalidCsv, UnsupportedFile
from imgproc.pipeline.table.read import CsvLimits, read_csv

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "file-messages.md"
LIMITS = CsvLimits(max_rows=1000, max_images_per_row=3)
_H = "S. No.,Product Name,Input Image Urls\n"
_U = "https://shop.example/1.jpg"
_MUG = f"1,Mug,{_U}\n"
HEAD = """\
# Messages about files

`make pages` writes this page: each message is what imgproc says to a small file with that fault.
[Errors](errors.md#errors-of-a-file) lists the codes, and [Files](files.md) says what is read.
"""
# What is wrong, and a file in which it is.
SECTIONS: dict[str, dict[str, str]] = {
    "The file as a whole": {
        "a web page": "<!DOCTYPE html><html><body>Sign in</body></html>",
        "XML": '<?xml version="1.0"?><products/>',
        "JSON": '[{"sku": "1"}]',
        "a PDF": "%PDF-1.7",
        "nothing but blank lines": "\n\n\n",
        "no header": _MUG,
        "a header without rows": _H,
        "a column is missing": f"SKU,Colour,Image\n1,red,{_U}\n",
        "a column of pictures with another name": f"SKU,Name,Full Size\n1,Mug,{_U}\n",
        "a column is misspelled": f"SKU,Prodct Name,Image\n1,Mug,{_U}\n",
        "two columns of one name": f"SKU,Name,Name,Image\n1,Mug,Cup,{_U}\n",
        "two columns of links": "SKU,Name,URL,Link\n1,Mug,https://shop.example/a,https://shop.example/b\n",
        "another delimiter than in the rows": f"{_H}1;Mug;{_U}\n",
        "an unknown delimiter": f"SKU:Name:Image\n1:Mug:{_U}\n",
        "columns by spaces": f"SKU   Name   Image\n1     Mug    {_U}\n",
        "quotes around whole lines": f'"SKU,Name,Image"\n"1,Mug,{_U}"\n',
        "a quote that is never closed": f'{_H}1,"Mug,{_U}\n2,Cup,{_U}\n',
        "too many columns": f"{','.join(map(str, range(1001)))},{_H}",
    },
    "A row": {
        "a comma in a name": f"{_H}1,Mug, red,{_U}\n",
        "a decimal comma": f"SKU,Name,Price,Image\n1,Mug,12,50,{_U}\n",
        "a comma in a note": f"SKU,Name,Image,Note\n1,Mug,{_U},nice, blue\n",
        "a missing cell": f"{_H}1,Mug\n",
        "a line of another delimiter": f"{_H}{_MUG}2;Cup;{_U}\n",
        "a line that is no row": f"{_H}{_MUG}End of report\n",
        "a row in quotes": f'{_H}"1,Mug,{_U}"\n',
        "an inch sign in a quoted name": f'{_H}1,"Pipe 5" red",{_U}\n',
        "a cell that swallows rows": f'{_H}1,"Pipe 5"",{_U}\n2,Tube 6",{_U}\n',
        "a NUL": f"{_H}1,M\0ug,{_U}\n",
    },
    "A serial number or a name": {
        "no serial number": f"{_H},Mug,{_U}\n",
        "no name": f"{_H}1,,{_U}\n",
        "a serial number that comes again": f"{_H}{_MUG}1,Cup,{_U}\n",
        "a number that Excel has shortened": f"{_H}8.90123E+12,Mug,{_U}\n8.90123E+12,Cup,{_U}\n",
        "a formula that failed": f"{_H}#REF!,Mug,{_U}\n",
        "a URL as a serial number": f"{_H}{_U},Mug,{_U}\n",
        "a URL as a name": f"{_H}1,{_U},{_U}\n",
    },
    "A URL": {
        "none": f"{_H}1,Mug,\n",
        "too many": f"{_H}1,Mug,{_U} {_U} {_U} {_U}\n",
        "no scheme": f"{_H}1,Mug,www.shop.example/1.jpg\n",
        "no scheme, two slashes": f"{_H}1,Mug,//shop.example/1.jpg\n",
        "http:// twice": f"{_H}1,Mug,http://{_U}\n",
        "a misspelled scheme": f"{_H}1,Mug,htps://shop.example/1.jpg\n",
        "a path": f"{_H}1,Mug,/images/1.jpg\n",
        "a path of Magento": f"{_H}1,Mug,/m/u/mug.jpg\n",
        "a file name": f"{_H}1,Mug,mug.jpg\n",
        "a file on a computer": f"{_H}1,Mug,C:\\Users\\me\\mug.jpg\n",
        "FTP": f"{_H}1,Mug,ftp://shop.example/1.jpg\n",
        "a bucket": f"{_H}1,Mug,s3://bucket/1.jpg\n",
        "a picture in the cell": f'{_H}1,Mug,"data:image/png;base64,iVBORw0KGgo="\n',
        "a word for none": f"{_H}1,Mug,N/A\n",
        "something else": f"{_H}1,Mug,red\n",
        "a password": f"{_H}1,Mug,https://me:secret@shop.example/1.jpg\n",
        "no host": f"{_H}1,Mug,https:///1.jpg\n",
    },
}


def message(text: str) -> tuple[int | None, str]:
    """The line and the message of the first fault of a file.

    Raises:
        LookupError: the file has none.
    """
    try:
        rows = list(read_csv(io.BytesIO(text.encode()), limits=LIMITS).rows)
    except InvalidCsv as error:
        return error.errors[0].line, error.detail
    except UnsupportedFile as error:
        return None, error.detail
    faults = [fault for row in rows for fault in row.errors]
    if not faults:
        raise LookupError(text)
    return faults[0].line, faults[0].detail


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for title, files in SECTIONS.items():
        rows = ["| what is wrong | line | message |", "|---|---|---|"]
        for what, text in files.items():
            line, detail = message(text)
            rows.append(f"| {what} | {line or ''} | {_cell(detail)} |")
        parts += [f"## {title}\n", "\n".join(rows) + "\n"]
    return "\n".join(parts)


def _cell(text: str) -> str:
    shown = text if len(text) <= 400 else f"{text[:200]} … {text[-160:]}"
    return shown.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page())
