"""Reads the options that say how a file is read and written, and says what to write instead of wrong values."""

from __future__ import annotations

import codecs
import json
import re
from difflib import get_close_matches
from encodings.aliases import aliases
from typing import Any

from imgproc.api.missing_file import SHOWN, shown
from imgproc.api.option_names import nearest
from imgproc.api.option_values import explain
from imgproc.journey.file_options import CSV, XLSX
from imgproc.pipeline.table.columns import COLUMNS

MAX_HEADINGS = 1000
MAX_HEADING_CHARS = 1000
EXAMPLE = '{"serialNumber": "Code", "productName": "Name", "inputImageUrls": ["Image 1", "Image 2"]}'
ENCODINGS = (
    *("utf-8", "utf-16", "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254"),
    *("windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874", "iso-8859-1", "macintosh"),
    *("cp437", "cp850", "koi8-r", "shift_jis", "euc-jp", "gb18030", "big5", "euc-kr"),
)
# What programs call encodings, and Python does not or means more narrowly; names are without punctuation.
OTHER_NAMES = {
    **dict.fromkeys(("sjis", "shiftjis", "xsjis", "windows31j"), "cp932"),
    **dict.fromkeys(("gbk", "gb2312"), "gb18030"),
    **{"macroman": "mac-roman", "macintosh": "mac-roman", "ansi": "cp1252", "windows874": "cp874"},
    **{"unicode": "utf-16", "utf8bom": "utf-8-sig"},
}
# Codecs of Python for other things than files.
NOT_OF_FILES = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "mbcs", "oem", "utf-7"}
TRUE_WORDS, FALSE_WORDS = {"1", "yes", "on", "y", "t"}, {"0", "no", "off", "n", "f", "none"}


def columns_of(value: str) -> dict[str, tuple[str, ...]]:
    """The file's heading for each of our columns, from a JSON object.

    Raises:
        ValueError: says what to write instead.
    """
    try:
        given = json.loads(value)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not given:
        raise ValueError(f"Give a JSON object such as {EXAMPLE}, not {shown(value)}.")
    return {_column(name): _headings(name, headings) for name, headings in given.items()}


def _column(name: str) -> str:
    if name in COLUMNS:
        return name
    meant = nearest(name, COLUMNS)
    hint = f"; write {meant}" if meant else ""
    raise ValueError(f"There is no column {shown(name)}{hint}; the columns are {', '.join(COLUMNS)}.")


def _headings(name: str, given: Any) -> tuple[str, ...]:
    headings = given if isinstance(given, list) else [given]
    if not headings or not all(isinstance(each, str) and each.strip() and "\0" not in each for each in headings):
        raise ValueError(f"Give {name} as a heading of the file in quotes, or a list of headings.")
    if len(headings) > 1 and name != "inputImageUrls":
        raise ValueError(f"Give one heading for {name}; only inputImageUrls may have several.")
    if len(headings) > MAX_HEADINGS or max(map(len, headings)) > MAX_HEADING_CHARS:
        raise ValueError(f"Give at most {MAX_HEADINGS:,} headings of at most {MAX_HEADING_CHARS:,} characters.")
    if any(re.search("[\ud800-\udfff]", each) for each in headings):
        raise ValueError(f"Give the headings of {name} as they stand in the file; one of them is no text.")
    return tuple(dict.fromkeys(each.strip() for each in headings))


def codec_of(name: str) -> str | None:
    """The Python codec of an encoding; None if there is no text encoding of that name."""
    plain = re.sub(r"[^a-z0-9]", "", name[:SHOWN].lower())
    for each in (OTHER_NAMES.get(plain, name[:SHOWN]), plain):
        try:
            found = codecs.lookup(each)
        except (LookupError, ValueError):
            continue
        is_text = getattr(found, "_is_text_encoding", True) and found.name not in NOT_OF_FILES
        return found.name if is_text else None
    return None


def explain_encoding(value: str) -> str:
    """What to write instead of an unknown encoding."""
    known = {re.sub(r"[^a-z0-9]", "", each): each for each in (*aliases, *ENCODINGS)}
    close = get_close_matches(re.sub(r"[^a-z0-9]", "", value[:SHOWN].lower()), known, n=1, cutoff=0.7)
    if close:
        return f"There is no encoding {shown(value)}; write {known[close[0]].replace('_', '-')}."
    return f"There is no encoding {shown(value)}; give one such as {', '.join(ENCODINGS)}."


def explain_output_format(value: str) -> str:
    """What to write instead of an unknown output format."""
    given = value.strip().lower().lstrip(".")
    meant = CSV if given in {"csv", "text", "text/csv", "tsv", "txt"} else None
    meant = XLSX if re.search(r"xls|excel|sheet|workbook|ods|numbers", given) else meant
    if given in {"jpeg", "jpg", "png", "webp", "avif", "keep"}:
        return f"Give {CSV} or {XLSX}; the format of the images is the option format."
    return explain(f"Give {CSV} or {XLSX}", value, meant)


def explain_bom(value: str) -> str:
    """What to write instead of a `bom` that is neither true nor false."""
    given = value.strip().lower()
    meant = "true" if given in TRUE_WORDS else "false" if given in FALSE_WORDS else None
    return explain("Give true or false", value, meant)
