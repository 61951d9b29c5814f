"""The first bytes of an upload -> what kind of file it is. Its name does not matter."""

from __future__ import annotations

import codecs
import re

from imgproc.core.errors import UnsupportedFile

SAVE_AS_CSV = "open it in a spreadsheet, save it as “CSV UTF-8”, and upload that"
_A_PICTURE = "upload the table of your products as “CSV UTF-8”; the pictures are downloaded from its URLs"
# A file begins with these bytes: its kind, and what to do instead.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive", "save the sheet as “CSV UTF-8” and upload that"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as “CSV UTF-8” and upload that"),
    (b"%PDF", "a PDF document", "upload the spreadsheet that it was made from, as “CSV UTF-8”"),
    (b"{\\rtf", "an RTF document", "copy its table into a spreadsheet, and save that as “CSV UTF-8”"),
    (
        b"\x89PNG",
        "a PNG picture",
        _A_PICTURE,
    ),
    (
        b"\xff\xd8\xff",
        "a JPEG picture",
        _A_PICTURE,
    ),
    (b"GIF8", "a GIF picture", _A_PICTURE),
    (b"\x1f\x8b", "a gzip archive", "unpack it, and upload the file inside"),
    (b"Rar!", "a RAR archive", "unpack it, and upload the file inside"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it, and upload the file inside"),
    (b"BZh", "a bzip2 archive", "unpack it, and upload the file inside"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it, and upload the file inside"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it, and upload the file inside"),
    (b"SQLite format 3\x00", "a SQLite database", "export its table as CSV, and upload that"),
    (b"PAR1", "a Parquet file", "export it as CSV, and upload that"),
    (b"bplist00", "an Apple property list", SAVE_AS_CSV),
)
_HTML = re.compile(
    r"<(?:!doctype\s+html|html|head|body|title|meta|table|div|script|!--.{0,200}-->\s*<html)\b", re.I | re.S
)
_XML = re.compile(r"<(?:\?xml|rss|feed|products?|items?|catalog(?:ue)?|channel|offers|yml_catalog|urlset)\b", re.I)
_JSON = re.compile(r"\[\s*[\[{\"]|\{\s*\"|\[\s*\]|\{\s*\}")


def refuse_other_kinds(head: bytes) -> None:
    """Refuse a file that is known to be no table of text.

    Raises:
        UnsupportedFile: naming the kind, and what to do instead.
    """
    for magic, kind, remedy in _MAGIC:
        if head.startswith(magic):
            raise UnsupportedFile(f"The file is {kind}: {remedy}.")
    text = _as_text(head).lstrip()
    if _HTML.match(text):
        raise UnsupportedFile(
            "The file is an HTML page, perhaps the sign-in or error page of the site it was to come from: download the "
            "table again, or open this one in a spreadsheet and save it as “CSV UTF-8”."
        )
    if _XML.match(text):
        raise UnsupportedFile(f"The file is XML: export the catalogue as CSV, or {SAVE_AS_CSV}.")
    if _JSON.match(text):
        raise UnsupportedFile(f"The file is JSON: export the catalogue as CSV, or {SAVE_AS_CSV}.")


def _as_text(head: bytes) -> str:
    for bom, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(bom):
            return head[:4096].decode(encoding, "replace")
    return head[:4096].decode("latin-1")
