"""What a sheet shows and hides: numbers by the mask of their format, dates, hidden rows and columns."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter

from imgproc.pipeline.table.number_formats import mask_of, shown
from imgproc.pipeline.table.read import CsvLimits, Note, read_csv

URL = "https://host/1.jpg"
HEADER = ["S. No.", "Product Name", "Input Image Urls"]


def _read(fill: Callable[[Any, Any], None]) -> tuple[list[str], dict[str, Note]]:
    """The serial numbers and notes of a workbook with a header and a row, which `fill` adds to."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"strings_to_urls": False}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([HEADER, ["1", "Mug", URL]]):
            sheet.write_row(row, 0, cells)
        fill(book, sheet)
    reading = read_csv(stream, limits=CsvLimits(max_rows=100, max_images_per_row=5))
    return [row.serial_number for row in reading.rows], {note.code: note for note in reading.notes}


@pytest.mark.parametrize(
    ("code", "digits", "text"),
    [
        ("00000", "42", "00042"), ("000-000", "123456", "123-456"), ("000-000", "7", "000-007"),
        ('"A-"000', "7", "A-007"), ("000\\-00", "12345", "123-45"), ("(000) 000-0000", "5551234567", "(555) 123-4567"),
        ("00000-0000", "902101234", "90210-1234"), ('0"x"', "10", "10x"), ("###-####", "1234567", "123-4567"),
        ("0000;-0000", "42", "0042"), ("00", "12345", "12345"),
    ],
)  # fmt: skip
def test_shows_a_number_by_the_mask_of_its_format(code: str, digits: str, text: str) -> None:
    """Digits fill the places from the right, and what is left stands before the first."""
    mask = mask_of(code)
    assert mask is not None
    assert shown(digits, mask) == text


@pytest.mark.parametrize(
    "code", ["", "0", "#", "General", "@", "0.00", "#,##0", "0.0E+00", "[Red]0", "d/m/yy", "# ?/?"]
)
def test_other_formats_are_no_masks(code: str) -> None:
    """The number is read as it is."""
    assert mask_of(code) is None


def test_reads_the_number_that_a_cell_shows() -> None:
    """The serial number is the one that the merchant sees."""

    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(2, 1, ["Cup", URL])
        sheet.write_number(2, 0, 123456, book.add_format({"num_format": "000-000"}))

    assert _read(fill) == (["1", "123-456"], {})


def test_reads_hidden_rows_and_columns_with_a_note() -> None:
    """A filter hides rows from the eye alone, and a dropped product would not be seen; blank rows do not count."""

    def fill(_: Any, sheet: Any) -> None:
        for row in (2, 3):
            sheet.write_row(row, 0, [str(row), "Cup", URL])
            sheet.set_row(row, None, None, {"hidden": True})
        sheet.set_row(9, None, None, {"hidden": True})
        sheet.set_column(2, 2, None, None, {"hidden": True})

    serials, notes = _read(fill)
    assert serials == ["1", "2", "3"]
    assert (notes["hidden_rows_read"].line, notes["hidden_rows_read"].detail[:6]) == (3, "2 rows")
    assert "'Input Image Urls' is hidden" in notes["hidden_column_read"].detail


def test_notes_a_date_among_serial_numbers() -> None:
    """Spreadsheets make a date of a text such as 1-2."""

    def fill(book: Any, sheet: Any) -> None:
        sheet.write_datetime(2, 0, datetime.date(2024, 2, 1), book.add_format({"num_format": "d-mmm"}))
        sheet.write_row(2, 1, ["Cup", URL])

    serials, notes = _read(fill)
    assert serials == ["1", "2024-02-01"]
    assert notes["date_read"].line == 3
