"""The first bytes of an upload -> what kind of file it is. Its name does not matter."""

from __future__ import annotations

import re

from imgproc.core.errors import UnsupportedFile
from imgproc.pipeline.table.marks import unicode_of

SAVE_AS_CSV = "open it in a spreadsheet, save it as “CSV UTF-8”, and upload that"
_A_PICTURE = "upload the table of your products as “CSV UTF-8”; the pictures are downloaded from its URLs"
# A file begins with these bytes: its kind, and what to do instead.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x09\x08", "a very old Excel workbook", SAVE_AS_CSV),
    (b"\x09\x04\x06\0", "a very old Excel workbook", SAVE_AS_CSV),
    (b"%PDF", "a PDF document", "upload the spreadsheet that it was made from, as “CSV UTF-8”"),
    (b"{\\rtf", "an RTF document", "copy its table into a spreadsheet, and save that as “CSV UTF-8”"),
    (b"\x89PNG", "a PNG picture", _A_PICTURE),
    (b"\xff\xd8\xff", "a JPEG picture", _A_PICTURE),
    (b"GIF8", "a GIF picture", _A_PICTURE),
    (b"II*\0", "a TIFF picture", _A_PICTURE),
    (b"MM\0*", "a TIFF picture", _A_PICTURE),
    (b"Rar!", "a RAR archive", "unpack it, and upload the file inside"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it, and upload the file inside"),
    (b"BZh", "a bzip2 archive", "unpack it, and upload the file inside"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it, and upload the file inside"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it, and upload the file inside"),
    (b"SQLite format 3\x00", "a SQLite database", "export its table as CSV, and upload that"),
    (b"PAR1", "a Parquet file", "export it as CSV, and upload that"),
    (b"bplist00", "an Apple property list", SAVE_AS_CSV),
)
# These bytes stand at a place within the first block of a file.
_MAGIC_WITHIN: tuple[tuple[bytes, int, str, str], ...] = (
    (b"WEBP", 8, "a WebP picture", _A_PICTURE),
    (b"ftypheic", 4, "a HEIC picture", _A_PICTURE),
    (b"ftypavif", 4, "an AVIF picture", _A_PICTURE),
    (b"ftyp", 4, "a video", _A_PICTURE),
    (b"ustar", 257, "a TAR archive", "unpack it, and upload the file inside"),
)
_SAVE_IN_EXCEL = "open it in Excel, choose “Save As”, then “Excel Workbook (.xlsx)”, and upload that"
_HTML = (
    r"<(?:!doctype\s+html|html|head|body|title|meta|table|div|script|style|!--.{0,200}-->\s*<(?:html|table|!doctype))\b"
)
# The first of these that the beginning of a text matches tells what it is. Some programs write a table as HTML or XML
# and name it .xls: Excel opens it, so that Excel can save it as a workbook.
_TEXTS = tuple(
    (re.compile(rf"\s*{pattern}", re.I | re.S), kind, remedy)
    for pattern, kind, remedy in (
        (
            r"<.*(?:urn:schemas-microsoft-com:office:spreadsheet|progid=.Excel\.Sheet)",
            "an XML spreadsheet (Excel 2003), whatever its name ends in",
            _SAVE_IN_EXCEL,
        ),
        (
            rf"{_HTML}.*(?:urn:schemas-microsoft-com:office:excel|<tr\b)",
            "a table in an HTML page, whatever its name ends in",
            _SAVE_IN_EXCEL,
        ),
        (r"MIME-Version:.*(?:excel|text/html)", "a web archive (MHTML), whatever its name ends in", _SAVE_IN_EXCEL),
        (
            _HTML,
            "an HTML page, perhaps the sign-in or error page of the site it was to come from",
            "download the table again, or open this one in a spreadsheet and save it as “CSV UTF-8”",
        ),
        (r"<\?xml.{0,400}<office:document\b", "a flat XML spreadsheet", SAVE_AS_CSV),
        (
            r"<(?:\?xml|rss|feed|products?|items?|catalog(?:ue)?|channel|offers|yml_catalog|urlset)\b",
            "XML",
            f"export the catalogue as CSV, or {SAVE_AS_CSV}",
        ),
        (
            r"\{\s*\"(?:url|doc_id)\"\s*:.{0,300}(?:docs\.google\.com|\"doc_id\"|resource_id)",
            "a shortcut to a Google sheet, not the sheet",
            "open the sheet, choose File > Download > Comma-separated values, and upload that",
        ),
        (
            r"\[InternetShortcut\]",
            "a shortcut to a page, not a table",
            "open the page, download the table, and upload that",
        ),
        (r"<svg\b", "an SVG picture", _A_PICTURE),
        (
            r"(?:--[^\n]*\n\s*|/\*(?:(?!\*/).)*\*/;?\s*)*(?:insert\s+into|create\s+table|drop\s+table|set\s+names)\b",
            "a dump of a database (SQL)",
            "export the table as CSV, and upload that",
        ),
        (r"ID;P\w*(?:;[NE])*\s*\n[A-Z];", "a SYLK file", SAVE_AS_CSV),
        (r"TABLE\s*\n0,1\s*\n\"", "a DIF file", SAVE_AS_CSV),
        (r"version https://git-lfs", "a pointer of Git LFS, not the table", "run `git lfs pull`, and upload the file"),
        (
            r"(?:\[\s*[\[{\"'\d]|\{\s*[\"']|\[\s*\]|\{\s*\})",
            "JSON",
            f"export the catalogue as CSV, or {SAVE_AS_CSV}",
        ),
    )
)
ZIP, GZIP, OLE = b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP archive; workbooks of today are."""
    return head.startswith((ZIP, b"PK\x05\x06"))


def is_gzip(head: bytes) -> bool:
    """Whether a file that begins so is compressed by gzip (RFC 1952)."""
    return head.startswith(GZIP)


def is_ole(head: bytes) -> bool:
    """Whether a file that begins so is a compound file (OLE), as workbooks of Excel 97 to 2003 are."""
    return head.startswith(OLE)


def refuse_other_kinds(head: bytes) -> None:
    """Refuse a file that is known to be no table of text.

    Raises:
        UnsupportedFile: naming the kind, and what to do instead.
    """
    for magic, kind, remedy in _MAGIC:
        if head.startswith(magic):
            raise UnsupportedFile(f"The file is {kind}: {remedy}.")
    for magic, place, kind, remedy in _MAGIC_WITHIN:
        if head[place : place + len(magic)] == magic:
            raise UnsupportedFile(f"The file is {kind}: {remedy}.")
    text = _as_text(head)
    for pattern, kind, remedy in _TEXTS:
        if pattern.match(text):
            raise UnsupportedFile(f"The file is {kind}: {remedy}.")


def _as_text(head: bytes) -> str:
    encoding = unicode_of(head)
    return head[:4096].decode(encoding, "replace").lstrip("\ufeff") if encoding else head[:4096].decode("latin-1")
