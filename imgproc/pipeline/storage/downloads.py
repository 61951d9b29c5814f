"""How browsers save the files that we serve: their media type, and a name made from that of the upload."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

MAX_STEM_CHARS = 100
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_EXTENSION = re.compile(r"\.(?:csv|tsv|tab|txt|xlsx|xls|ods|zip|gz)(?= ?\(\d+\)$|$)", re.I)
# File systems refuse these, and shells and headers give them a meaning.
_UNSAFE = re.compile(r"[\\/:*?\"<>|%;'`$&\x00-\x1f\x7f]+")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.I)  # names of devices of Windows


def content_type_of(key: str) -> str:
    """The Content-Type of a CSV or a workbook, by the extension of its key."""
    return XLSX_TYPE if key.endswith(".xlsx") else "text/csv; charset=utf-8"


def name_after(filename: str, made: str) -> str:
    """The name of a file made from an upload: the `output.csv` of `spring.csv` is `spring-output.csv`."""
    stem = filename
    while (shorter := _EXTENSION.sub("", stem)) != stem:
        stem = shorter
    stem = "".join(map(_printable, unicodedata.normalize("NFC", stem)))
    stem = _UNSAFE.sub("-", stem)[:MAX_STEM_CHARS].strip(" .-")
    return f"{'_' if _RESERVED.match(stem) else ''}{stem}-{made}" if stem else made


def _printable(character: str) -> str:
    """The character, or nothing: marks of direction mislead, and lone surrogates are no text."""
    return character if character.isprintable() else " " if character.isspace() else ""


def attachment(filename: str) -> str:
    """The header Content-Disposition of a download (RFC 6266), in ASCII.

    A name beyond ASCII is in `filename*` (RFC 8187); `filename` has what is left of it for clients that know no other.
    """
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    plain = re.sub(r"[\"\\\x00-\x1f\x7f]", "", plain).lstrip(" .-") or "download"
    header = f'attachment; filename="{plain}"'
    return header if plain == filename else f"{header}; filename*=UTF-8''{quote(filename, safe='')}"
