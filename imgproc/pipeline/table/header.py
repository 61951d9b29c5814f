"""The header of a CSV -> its delimiter and the position of our columns."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence

from imgproc.pipeline.table.text import invalid_csv

DELIMITERS = ",;\t|"
MAX_COLUMNS = 1000
MAX_HEADING_CHARS = 100  # No column of ours has a longer name, and normalizing one takes quadratic time.
COLUMNS = ("serialNumber", "productName", "inputImageUrls")
# The first name of each column is the one that our CSVs use.
_NAMES = {
    "serialNumber": ("S. No.", "Sr No", "Sl No", "Serial Number", "Serial No", "Serial", "S/N", "No", "Number", "#"),
    "productName": ("Product Name", "Product", "Name", "Product Title", "Title"),
    "inputImageUrls": (
        "Input Image Urls",
        "Input Image Url",
        "Input Images",
        "Input Image",
        "Input Urls",
        "Input Url",
        "Image Urls",
        "Image Url",
        "Images",
        "Image",
        "Image Links",
        "Image Link",
        "Urls",
        "Url",
    ),
}


def _key(name: str) -> str:
    """A column's name without case, spacing and punctuation (a lone `#` stays); empty for a text too long."""
    if len(name) > MAX_HEADING_CHARS:
        return ""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name).casefold()) or name.strip()


_COLUMN_OF = {_key(name): column for column, names in _NAMES.items() for name in names}


def is_blank(cells: Sequence[str]) -> bool:
    """Whether a record is empty: a spreadsheet writes delimiters alone for an empty line."""
    return not "".join(cells).strip()


def find_delimiter(head: str) -> str:
    """The delimiter that finds most of our columns, then most cells, in the first line of `head` that has text."""

    def score(delimiter: str) -> tuple[int, int]:
        text = io.StringIO(head.replace("\0", " "), newline="")
        rows = csv.reader(text, delimiter=delimiter, skipinitialspace=True)
        cells: list[str] = next((cells for cells in rows if not is_blank(cells)), [])
        return len({_COLUMN_OF.get(_key(cell)) for cell in cells[:MAX_COLUMNS]} - {None}), len(cells)

    return max(DELIMITERS, key=score)


def find_columns(header: Sequence[str], *, line: int) -> tuple[int, ...]:
    """The indices in `header` of `COLUMNS`, in that order; other columns are ignored.

    Raises:
        InvalidCsv: there are too many columns, one of ours is missing, or two columns could be the same one.
    """
    if len(header) > MAX_COLUMNS:
        count = f"The header on line {line} has {len(header):,} columns, more than the {MAX_COLUMNS:,} allowed"
        detail = f"{count}: remove those you do not need; serial number, product name and image URLs are enough."
        raise invalid_csv(line, None, "too_many_columns", detail)
    found: dict[str, list[int]] = {column: [] for column in COLUMNS}
    for index, name in enumerate(header):
        if column := _COLUMN_OF.get(_key(name)):
            found[column].append(index)
    shown = repr(", ".join(header)[:300])
    if missing := [_NAMES[column] for column in COLUMNS if not found[column]]:
        wanted = ", and one named ".join(f"{names[0]!r} (or {', '.join(names[1:])})" for names in missing)
        raise invalid_csv(line, None, "missing_column", f"The header is {shown}: add a column named {wanted}.")
    for column, indices in found.items():
        if len(indices) > 1:
            names = " and ".join(repr(header[index]) for index in indices[:3]) + (" …" if len(indices) > 3 else "")
            detail = f"The header is {shown}: {names} could each be {_NAMES[column][0]!r}; rename or remove one."
            raise invalid_csv(line, header[indices[1]], "duplicate_column", detail)
    return tuple(indices[0] for indices in found.values())
