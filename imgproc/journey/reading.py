"""How a file was read, as JSON: for the answer to an upload, and stored with the request for its status."""

from __future__ import annotations

import json
from typing import Any

from imgproc.pipeline.table.read import CsvReading, Row, Scan

MAX_TEXT_CHARS = 500  # of a cell or a note that is shown
MAX_HEADING_CHARS = 100
MAX_SHOWN_BYTES = 256 * 1024  # of the JSON in an answer
MAX_STORED_BYTES = 16 * 1024  # of the JSON with rows in the database, which each poll of the status reads
MAX_HEADINGS = 100  # of a list
# Names that people know of codecs that Python names otherwise.
_ENCODINGS = {"utf-8-sig": "utf-8", "cp932": "shift_jis", "mac-roman": "macintosh"}


def encoding_name(codec: str) -> str:
    """The name of a Python codec as its standard or its maker writes it, such as `windows-1252` for `cp1252`."""
    if codec.startswith("cp125"):
        return f"windows-{codec[2:]}"
    return _ENCODINGS.get(codec, codec)


def reading_json(reading: CsvReading, scan: Scan) -> dict[str, Any]:
    """The member `reading`, as the API's documentation describes it, with as many of the first rows as fit."""
    used = {reading.indices.serial, reading.indices.name, *reading.indices.images}
    columns = reading.columns
    rows = [_row(row) for row in scan.first]
    found: dict[str, Any] = {
        "kind": reading.kind,
        "sheet": reading.sheet,
        "encoding": encoding_name(reading.encoding) if reading.encoding else None,
        "delimiter": reading.delimiter,
        "headerLine": reading.header_line,
        "columns": {
            "serialNumber": _heading(columns["serialNumber"][0]),
            "productName": _heading(columns["productName"][0]),
            "inputImageUrls": _first([*map(_heading, columns["inputImageUrls"])]),
        },
        "unused": _first([_heading(each) for index, each in enumerate(reading.header) if index not in used]),
        "notes": [{"code": note.code, "line": note.line, "detail": _shown(note.detail)} for note in reading.notes],
        "rows": rows,
    }
    while rows and _size(found) > MAX_SHOWN_BYTES:
        rows.pop()
    return found


def stored(reading: dict[str, Any]) -> dict[str, Any]:
    """The reading as the database keeps it: without its rows where it is large."""
    return reading | {"rows": []} if _size(reading) > MAX_STORED_BYTES else reading


def _first(headings: list[str]) -> list[str]:
    """The headings, or the first of them and how many there are more."""
    kept = headings[: MAX_HEADINGS - 1]
    return headings if len(headings) <= MAX_HEADINGS else [*kept, f"… and {len(headings) - len(kept):,} more"]


def _row(row: Row) -> dict[str, Any]:
    return {
        "line": row.line,
        "serialNumber": _shown(row.serial_number),
        "productName": _shown(row.product_name),
        "urls": list(row.urls),
    }


def _heading(text: str) -> str:
    return _shown(text, at_most=MAX_HEADING_CHARS)


def _shown(text: str, *, at_most: int = MAX_TEXT_CHARS) -> str:
    """A text of the file, shortened, and without the character that PostgreSQL cannot keep."""
    text = text.replace("\0", "\ufffd")
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def _size(reading: dict[str, Any]) -> int:
    return len(json.dumps(reading))
