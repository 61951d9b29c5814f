"""Bytes of an uploaded CSV -> its rows, each good or with its faults by line and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, starmap
from typing import BinaryIO, NamedTuple

from imgproc.core.errors import InvalidCsv, RowError
from imgproc.pipeline.table.cells import MAX_NAME_CHARS, MAX_SERIAL_CHARS, name_fault, serial_fault, urls_fault, value
from imgproc.pipeline.table.header import COLUMNS, find_columns, find_delimiter, is_blank
from imgproc.pipeline.table.plain import PlainReader, PlainRows
from imgproc.pipeline.table.records import Lines, Record, read_records
from imgproc.pipeline.table.serials import SerialNumbers
from imgproc.pipeline.table.text import detect_encoding, invalid_csv, open_text
from imgproc.pipeline.table.urls import parse_urls, starts_url

MAX_ERRORS = 100
HEADER_SAMPLE_CHARS = 64 * 1024
MAX_BLANK_LINES = 1000  # before the header


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

    `parts` can be iterated once, while the stream is open. It raises InvalidCsv where the file cannot be read further,
    has too many rows, or ends without any.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    columns: dict[str, str]
    parts: Iterator[Row | PlainRows]

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of the parts, one by one."""
        for part in self.parts:
            if isinstance(part, Row):
                yield part
            else:
                yield from starmap(Row, part)


@dataclass(frozen=True)
class Scan:
    """What one pass over a file found: `images` counts the URLs of good rows, `errors` holds at most 100.

    Where the pass stopped at the errors (`stopped`), the counts are those of the rows before.
    """

    rows: int
    products: int
    images: int
    skipped_rows: int
    errors: tuple[RowError, ...]
    errors_truncated: bool
    stopped: bool = False


def read_csv(stream: BinaryIO, *, limits: CsvLimits) -> CsvReading:
    """Find out how the seekable `stream` is written, and read its rows as they are asked for.

    The same bytes give the same rows every time, in memory that grows by 12 to 28 bytes a row.

    Raises:
        UnsupportedFile: the file is binary.
        InvalidCsv: it has no header, or a column is missing or doubled.
    """
    encoding = detect_encoding(stream)
    delimiter = find_delimiter(open_text(stream, encoding).read(HEADER_SAMPLE_CHARS))
    lines = Lines(open_text(stream, encoding))
    records = read_records(lines, delimiter)
    line, header = _read_header(records)
    indices = find_columns(header, line=line)
    columns = {column: header[index] for column, index in zip(COLUMNS, indices, strict=True)}
    parts = _RowReader(header, indices, delimiter, limits).read(lines, records, header_line=line)
    return CsvReading(encoding, delimiter, header, columns, parts)


def scan_csv(reading: CsvReading, *, stop_at_errors: bool = False) -> Scan:
    """Read every row once, to count them and gather the first 100 errors; or stop where there are more.

    Raises:
        InvalidCsv: as `CsvReading.parts` does.
    """
    products = images = skipped_rows = 0
    errors: list[RowError] = []
    for part in reading.parts:
        if isinstance(part, PlainRows):
            products += len(part)
            images += part.images
        elif not part.errors:
            products += 1
            images += len(part.urls)
        else:
            skipped_rows += 1
            if len(errors) <= MAX_ERRORS:
                errors.extend(part.errors)
            elif stop_at_errors:
                break
    truncated = len(errors) > MAX_ERRORS
    return Scan(
        rows=products + skipped_rows,
        products=products,
        images=images,
        skipped_rows=skipped_rows,
        errors=tuple(errors[:MAX_ERRORS]),
        errors_truncated=truncated,
        stopped=truncated and stop_at_errors,
    )


def require_valid(scan: Scan, *, skip_invalid: bool) -> None:
    """Accept a file without bad rows, or one with at least one good row where bad ones may be skipped.

    Raises:
        InvalidCsv: with the errors found.
    """
    if not scan.errors or (skip_invalid and scan.products):
        return
    first = scan.errors[0]
    count = f"{scan.skipped_rows:,} of {scan.rows:,} rows cannot be used"
    if scan.stopped:
        count = f"{scan.skipped_rows:,} of the first {scan.rows:,} rows cannot be used, and reading stopped there"
    detail = f"{count}; the first fault is on line {first.line}: {first.detail}"
    raise InvalidCsv(detail, errors=list(scan.errors), truncated=scan.errors_truncated)


def _read_header(records: Iterator[Record]) -> tuple[int, tuple[str, ...]]:
    """The line and the names of the first record that is not blank."""
    for line, cells, fault in islice(records, MAX_BLANK_LINES + 1):
        if fault:
            raise InvalidCsv(fault.detail, errors=[fault])
        if not is_blank(cells):
            names = [cell.strip() for cell in cells]
            while not names[-1]:  # A spreadsheet pads the header to the width of its widest row.
                names.pop()
            return line, tuple(names)
    detail = f"There is no header in the first {MAX_BLANK_LINES:,} lines: begin the file with one, then product rows."
    raise invalid_csv(1, None, "empty_file", detail)


class _RowReader:
    """Gives meaning to records: which cell is which, and what is wrong with it."""

    def __init__(self, header: tuple[str, ...], indices: tuple[int, ...], delimiter: str, limits: CsvLimits) -> None:
        self._header = header
        self._indices = indices
        self._delimiter = delimiter
        self._limits = limits
        self._serials = SerialNumbers()
        self._plain = PlainReader(
            len(header),
            indices,
            delimiter,
            max_images=limits.max_images_per_row,
            max_cell_chars=limits.max_cell_chars,
        )

    def read(self, lines: Lines, records: Iterator[Record], *, header_line: int) -> Iterator[Row | PlainRows]:
        """The rows after the header; see `CsvReading.parts`. `records` takes from `lines` what is left there."""
        rows = blanks = 0
        most = self._limits.max_rows
        while True:
            while not lines.waiting and (
                plain := self._plain.take(lines, self._serials, row=rows + 1, at_most=most - rows)
            ):
                rows += len(plain)
                yield plain
            if (record := next(records, None)) is None:
                break
            line, cells, fault = record
            # Almost every row has something in its first cell, which tells sooner.
            blank = fault is None and not (cells and cells[0].strip()) and is_blank(cells)
            blanks += blank
            rows += not blank
            if rows > most or blanks > most:
                raise self._too_many(line, "blank lines" if blank else "rows")
            if not blank:
                yield self._row(rows, line, cells, fault)
        if not rows:
            detail = "The file has a header and no rows: add a row for each product."
            raise invalid_csv(header_line, None, "no_rows", detail)

    def _too_many(self, line: int, kind: str) -> InvalidCsv:
        detail = f"The file has more than {self._limits.max_rows:,} {kind}: split it into several files."
        return invalid_csv(line, None, "too_many_rows", detail)

    def _row(self, number: int, line: int, cells: list[str], fault: RowError | None) -> Row:
        if len(cells) != len(self._header):
            fault = fault or self._missing_cells(line, len(cells))
            self._fit(cells)
        serial_index, name_index, urls_index = self._indices
        serial, name, cell = value(cells[serial_index]), value(cells[name_index]), value(cells[urls_index])
        limits = self._limits
        urls: tuple[str, ...] = ()
        bad_urls: list[str] = []
        if len(cell) <= limits.max_cell_chars:
            urls, bad_urls = parse_urls(cell, at_most=limits.max_images_per_row)
        if fault:
            return Row(number, line, serial, name, cell, urls, (fault,))
        twin = self._serials.first_line(serial, line) if 0 < len(serial) <= MAX_SERIAL_CHARS else None
        good = not bad_urls and 0 < len(urls) <= limits.max_images_per_row and 0 < len(name) <= MAX_NAME_CHARS
        if good and twin is None and 0 < len(serial) <= MAX_SERIAL_CHARS:
            return Row(number, line, serial, name, cell, urls)
        faults = [
            (serial_index, serial_fault(serial, twin)),
            (name_index, name_fault(name)),
            (urls_index, urls_fault(cell, urls, max_chars=limits.max_cell_chars, max_images=limits.max_images_per_row)),
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
