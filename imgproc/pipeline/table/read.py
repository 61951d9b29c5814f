"""The bytes of an uploaded CSV -> its rows, each either good or with its faults by line and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, starmap
from typing import BinaryIO

from imgproc.core.errors import InvalidCsv, RowError
from imgproc.pipeline.table.header import COLUMNS, find_columns, find_delimiter, is_blank
from imgproc.pipeline.table.plain import PlainRows
from imgproc.pipeline.table.records import Lines, Record, read_records
from imgproc.pipeline.table.rows import CsvLimits, Row, RowReader
from imgproc.pipeline.table.text import detect_encoding, invalid_csv, open_text

# The names that code outside this folder imports.
__all__ = ["CsvLimits", "CsvReading", "Row", "Scan", "read_csv", "require_valid", "scan_csv"]

MAX_ERRORS = 100
HEADER_SAMPLE_CHARS = 64 * 1024
MAX_BLANK_LINES = 1000  # before the header


@dataclass(frozen=True)
class CsvReading:
    """How a file is read: its Python codec, delimiter and header, and the header's name for each wire name of a column.

    `parts` can be iterated once, while the stream is open. It raises InvalidCsv where the file cannot be read further,
    has too many rows, or has none.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    columns: dict[str, str]
    parts: Iterator[Row | PlainRows]

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of all parts."""
        for part in self.parts:
            if isinstance(part, Row):
                yield part
            else:
                yield from starmap(Row, part)


@dataclass(frozen=True)
class Scan:
    """The result of one pass over a file: `images` counts the URLs of good rows, `errors` holds at most 100.

    If the pass `stopped` at the errors, the counts are those of the rows up to there.
    """

    rows: int
    products: int
    images: int
    skipped_rows: int
    errors: tuple[RowError, ...]
    errors_truncated: bool
    stopped: bool = False


def read_csv(stream: BinaryIO, *, limits: CsvLimits) -> CsvReading:
    """Detect the encoding, delimiter and columns of the seekable `stream`, and read its rows on demand.

    The same bytes always give the same rows. Memory grows by 12 to 28 bytes a row.

    Raises:
        UnsupportedFile: the file is binary.
        InvalidCsv: it has no header, or a column is missing or given twice.
    """
    encoding = detect_encoding(stream)
    delimiter = find_delimiter(open_text(stream, encoding).read(HEADER_SAMPLE_CHARS))
    lines = Lines(open_text(stream, encoding))
    records = read_records(lines, delimiter)
    line, header = _read_header(records)
    indices = find_columns(header, line=line)
    columns = {column: header[index] for column, index in zip(COLUMNS, indices, strict=True)}
    parts = RowReader(header, indices, delimiter, limits).read(lines, records, header_line=line)
    return CsvReading(encoding, delimiter, header, columns, parts)


def scan_csv(reading: CsvReading, *, stop_at_errors: bool = False) -> Scan:
    """Count all rows and collect the first 100 errors; `stop_at_errors` ends the pass where there are more.

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
    """Refuse a file with bad rows; with `skip_invalid`, refuse only a file without any good row.

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
