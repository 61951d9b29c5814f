"""The value of each of our cells, and its fault: a code and a sentence, or None."""

from __future__ import annotations

import re

from imgproc.pipeline.table.formulas import unguard

MAX_SERIAL_CHARS = 255
MAX_NAME_CHARS = 500
# A spreadsheet keeps `="00123"` as text; it shortens long numbers to a few digits, so that different ones look alike.
_TEXT_FORMULA = re.compile(r'="([^"]*)"')
_ROW_WITHIN = re.compile(r"[,;\t|]\s*\"?https?://")
_SHORTENED = re.compile(r"[0-9][.,][0-9]+E\+[0-9]{2,}", re.I)


def value(cell: str) -> str:
    """The text of a cell without the white space around it and the formula guard that our CSVs add."""
    text = unguard(cell.strip()).strip()
    if text.startswith('="') and (formula := _TEXT_FORMULA.fullmatch(text)):
        return formula[1].strip()
    return text


def serial_fault(serial: str, first_line: int | None) -> tuple[str, str] | None:
    """The fault of a serial number; `first_line` is where it was seen before, if it was."""
    if not serial:
        return "empty_serial_number", "The serial number is empty: give the row one of its own."
    if len(serial) > MAX_SERIAL_CHARS:
        return "cell_too_long", f"The serial number has more than {MAX_SERIAL_CHARS} characters: shorten it."
    if first_line is not None and _SHORTENED.fullmatch(serial):
        detail = (
            f"The serial number {serial!r} is already on line {first_line}: Excel has shortened long numbers to this. "
            "Format the column as text, and enter or import the numbers again."
        )
        return "duplicate_serial_number", detail
    if first_line is not None:
        detail = f"The serial number {serial!r} is already on line {first_line}: give the row one of its own."
        return "duplicate_serial_number", detail
    return None


def name_fault(name: str) -> tuple[str, str] | None:
    """The fault of a product name."""
    if not name:
        return "empty_product_name", "The product name is empty: write one."
    if name.lower().startswith(("http://", "https://")):
        return "name_is_url", f"The product name is a URL ({name[:100]!r}): the cells of this row are one place off."
    if "http" in name and _ROW_WITHIN.search(name):
        detail = "The product name holds a delimiter and a URL: close its quote, and double quotes inside it."
        return "swallowed_cells", detail
    if len(name) > MAX_NAME_CHARS:
        return "cell_too_long", f"The product name has more than {MAX_NAME_CHARS} characters: shorten it."
    return None


def urls_fault(cell: str, urls: tuple[str, ...], *, max_chars: int, max_images: int) -> tuple[str, str] | None:
    """The fault of the URL cell as a whole."""
    if len(cell) > max_chars:
        return "cell_too_long", f"The URL cell has more than {max_chars:,} characters: shorten it."
    if not urls:
        return "no_urls", "The row has no image URL: give at least one, or remove the row."
    if len(urls) > max_images:
        most = f"more than the {max_images:,} allowed"
        return "too_many_images", f"The row has {len(urls):,} image URLs, {most}: split it into several rows."
    return None
