"""Bytes of an uploaded CSV -> its rows, each good or with its faults by line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from imgproc.errors import InvalidCsv, RowError
from imgproc.pipeline._csv_header import COLUMNS, find_columns, find_delimiter, is_blank
from imgproc.pipeline._csv_serials import SerialNumbers
from imgproc.pipeline._csv_text import Record, detect_encoding, invalid_csv, open_text, read_records
from imgproc.pipeline._csv_urls import parse_urls, starts_url

MAX_SERIAL_CHARS = 255
MAX_NAME_CHARS = 500
MAX_ERRORS = 100
HEADER_SAMPLE_CHARS = 64 * 1024

# The mark that `write_csv` sets before what a spreadsheet would run as a formula; it is not part of the value.
_FORMULA_GUARD = re.compile(r"'(?='*[\t\r\n]|[\s']*[=+\-@\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True)
class CsvLimits:
    """The caps of a file: rows, URLs of a row, and characters of the URL cell (by default csv.reader's own, 128 Ki)."""

    max_rows: int
    max_images_per_row: int
    max_cell_chars: int = 131_072


class Row(NamedTuple):
    """One data row; with `errors` it is bad, and holds its cells as far as they could be read.

    `row` counts data rows from 1, bad ones too and blank lines not; `line` is where the row starts in an editor.
    It is a tuple because a frozen dataclass takes twice as long to make, a million times.
    """

    row: int
    line: int
    serial_number: str
    product_name: str
    input_cell: str
    urls: tuple[str, ...]
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True)
class CsvReading:
    """How a file was read: its Python codec, delimiter and header, and the header found for each wire name of a column.

    `rows` can be iterated once, while the stream is open. It raises InvalidCsv where the file cannot be read further,
    has too many rows, or ends without any.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    columns: dict[str, str]
    rows: Iterator[Row]


@dataclass(frozen=True)
class Scan:
    """What one pass over a file found: `images` counts the URLs of good rows, `errors` holds at most 100."""

    rows: int
    products: int
    images: int
    skipped_rows: int
    errors: tuple[RowError, ...]
    errors_truncated: bool


def read_csv(stream: BinaryIO, *, limits: CsvLimits) -> CsvReading:
    """Find out how the seekable `stream` is written, and read its rows as they are asked for.

    The same bytes give the same rows every time, in memory that grows by 12 to 28 bytes a row.

    Raises:
        UnsupportedFile: the file is binary.
        InvalidCsv: it has no header, or a column is missing or doubled.
    """
    encoding = detect_encoding(stream)
    delimiter = find_delimiter(open_text(stream, encoding).read(HEADER_SAMPLE_CHARS))
    records = read_records(open_text(stream, encoding), delimiter)
    line, header = _read_header(records)
    indices = find_columns(header, line=line)
    columns = {column: header[index] for column, index in zip(COLUMNS, indices, strict=True)}
    rows = _RowReader(header, indices, delimiter, limits).read(records, header_line=line)
    return CsvReading(encoding, delimiter, header, columns, rows)


def scan_csv(reading: CsvReading) -> Scan:
    """Read every row once, to count them and gather the first 100 errors.

    Raises:
        InvalidCsv: as `CsvReading.rows` does.
    """
    products = images = skipped_rows = 0
    errors: list[RowError] = []
    for row in reading.rows:
        if not row.errors:
            products += 1
            images += len(row.urls)
            continue
        skipped_rows += 1
        if len(errors) <= MAX_ERRORS:
            errors.extend(row.errors)
    truncated = len(errors) > MAX_ERRORS
    return Scan(products + skipped_rows, products, images, skipped_rows, tuple(errors[:MAX_ERRORS]), truncated)


def require_valid(scan: Scan, *, skip_invalid: bool) -> None:
    """Accept a file without bad rows, or one with at least one good row where bad ones may be skipped.

    Raises:
        InvalidCsv: with the errors found.
    """
    if not scan.errors or (skip_invalid and scan.products):
        return
    first = scan.errors[0]
    count = f"{scan.skipped_rows:,} of {scan.rows:,} rows cannot be used"
    detail = f"{count}; the first fault is on line {first.line}: {first.detail}"
    raise InvalidCsv(detail, errors=list(scan.errors), truncated=scan.errors_truncated)


def _read_header(records: Iterator[Record]) -> tuple[int, tuple[str, ...]]:
    """The line and the names of the first record that is not blank."""
    for line, cells, fault in records:
        if fault:
            raise InvalidCsv(fault.detail, errors=[fault])
        if not is_blank(cells):
            names = [cell.strip() for cell in cells]
            while not names[-1]:  # A spreadsheet pads the header to the width of its widest row.
                names.pop()
            return line, tuple(names)
    raise invalid_csv(1, None, "empty_file", "The file is blank: upload a CSV with a header line and product rows.")


class _RowReader:
    """Gives meaning to records: which cell is which, and what is wrong with it."""

    def __init__(self, header: tuple[str, ...], indices: tuple[int, ...], delimiter: str, limits: CsvLimits) -> None:
        self._header = header
        self._indices = indices
        self._delimiter = delimiter
        self._limits = limits
        self._serials = SerialNumbers()

    def read(self, records: Iterator[Record], *, header_line: int) -> Iterator[Row]:
        """The rows after the header; see `CsvReading.rows`."""
        rows = blanks = 0
        most = self._limits.max_rows
        for line, cells, fault in records:
            # Almost every row has something in its first cell, which tells sooner.
            blank = fault is None and not (cells and cells[0].strip()) and is_blank(cells)
            if blank:
                blanks += 1
            else:
                rows += 1
            if rows > most or blanks > most:
                kind = "blank lines" if blank else "rows"
                detail = f"The file has more than {most:,} {kind}: split it into several files."
                raise invalid_csv(line, None, "too_many_rows", detail)
            if not blank:
                yield self._row(rows, line, cells, fault)
        if not rows:
            detail = "The file has a header and no rows: add a row for each product."
            raise invalid_csv(header_line, None, "no_rows", detail)

    def _row(self, number: int, line: int, cells: list[str], fault: RowError | None) -> Row:
        if len(cells) != len(self._header):
            fault = fault or self._missing_cells(line, len(cells))
            self._fit(cells)
        serial_index, name_index, urls_index = self._indices
        serial, name, cell = _value(cells[serial_index]), _value(cells[name_index]), _value(cells[urls_index])
        urls: tuple[str, ...] = ()
        bad_urls: list[str] = []
        if len(cell) <= self._limits.max_cell_chars:
            urls, bad_urls = parse_urls(cell, at_most=self._limits.max_images_per_row)
        if fault:
            return Row(number, line, serial, name, cell, urls, (fault,))
        twin = self._serials.first_line(serial, line) if 0 < len(serial) <= MAX_SERIAL_CHARS else None
        good = not bad_urls and 0 < len(urls) <= self._limits.max_images_per_row and 0 < len(name) <= MAX_NAME_CHARS
        if good and twin is None and 0 < len(serial) <= MAX_SERIAL_CHARS:
            return Row(number, line, serial, name, cell, urls)
        faults = [
            (serial_index, _serial_fault(serial, twin)),
            (name_index, _name_fault(name)),
            (urls_index, self._urls_fault(cell, urls)),
            *((urls_index, ("invalid_url", detail)) for detail in bad_urls),
        ]
        errors = tuple(RowError(line, self._header[index], *fault) for index, fault in faults if fault)
        return Row(number, line, serial, name, cell, urls, errors)

    def _fit(self, cells: list[str]) -> None:
        """Make `cells` as many as the header's: add what is missing, and put an unquoted list of URLs back together.

        Cells beyond the header's are the list's, wherever its column stands. Blank ones at the end of the line are its
        trailing delimiters instead, unless the list has a URL in the place they would give back.
        """
        cells.extend([""] * (len(self._header) - len(cells)))
        first = self._indices[2]
        last = first + len(cells) - len(self._header)
        while last > first and not cells[-1].strip() and not starts_url(cells[last].strip()):
            cells.pop()
            last -= 1
        cells[first : last + 1] = [self._delimiter.join(cells[first : last + 1])]

    def _missing_cells(self, line: int, count: int) -> RowError | None:
        if count > max(self._indices):
            return None
        detail = f"The row has {count} cells, the header {len(self._header)}: add the missing cells or delimiters."
        return RowError(line, None, "too_few_fields", detail)

    def _urls_fault(self, cell: str, urls: tuple[str, ...]) -> tuple[str, str] | None:
        limits = self._limits
        if len(cell) > limits.max_cell_chars:
            return "cell_too_long", f"The URL cell has more than {limits.max_cell_chars:,} characters: shorten it."
        if not urls:
            return "no_urls", "The row has no image URL: give at least one, or remove the row."
        if len(urls) > limits.max_images_per_row:
            most = f"more than the {limits.max_images_per_row:,} allowed"
            return "too_many_images", f"The row has {len(urls):,} image URLs, {most}: split it into several rows."
        return None


def _serial_fault(serial: str, first_line: int | None) -> tuple[str, str] | None:
    if not serial:
        return "empty_serial_number", "The serial number is empty: give the row one of its own."
    if len(serial) > MAX_SERIAL_CHARS:
        return "cell_too_long", f"The serial number has more than {MAX_SERIAL_CHARS} characters: shorten it."
    if first_line is not None:
        detail = f"The serial number {serial!r} is already on line {first_line}: give the row one of its own."
        return "duplicate_serial_number", detail
    return None


def _name_fault(name: str) -> tuple[str, str] | None:
    if not name:
        return "empty_product_name", "The product name is empty: write one."
    if len(name) > MAX_NAME_CHARS:
        return "cell_too_long", f"The product name has more than {MAX_NAME_CHARS} characters: shorten it."
    return None


def _value(cell: str) -> str:
    """The text of a cell, without the white space around it and without the formula guard of our own CSVs."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and _FORMULA_GUARD.match(text) else text
