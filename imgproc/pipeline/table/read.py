"""The bytes of an uploaded file -> its rows, each either good or with its faults by line and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import BinaryIO

from imgproc.core.errors import InvalidCsv, RowError
from imgproc.pipeline.table.archives import peek, unpack
from imgproc.pipeline.table.columns import COLUMNS, Columns, find_columns
from imgproc.pipeline.table.dialect import HEAD_CHARS, find_dialect
from imgproc.pipeline.table.encodings import find_encoding
from imgproc.pipeline.table.excel_marks import note_shortened
from imgproc.pipeline.table.headings import Choice
from imgproc.pipeline.table.host_counts import HostCounts
from imgproc.pipeline.table.image_columns import spread_headings
from imgproc.pipeline.table.kinds import refuse_other_kinds
from imgproc.pipeline.table.notes import Note, Notes
from imgproc.pipeline.table.parts import read_parts, read_sheet_rows
from imgproc.pipeline.table.plain import PlainRows
from imgproc.pipeline.table.records import Lines
from imgproc.pipeline.table.rows import CsvLimits, Row
from imgproc.pipeline.table.share_notes import note_share_links
from imgproc.pipeline.table.sheet_header import find_header, note_columns, read_sheet_records
from imgproc.pipeline.table.text import open_text
from imgproc.pipeline.table.workbooks import kind_of, open_sheet

# The names that code outside this folder imports.
__all__ = ["CsvLimits", "CsvReading", "Note", "ReadOptions", "Row", "Scan", "read_csv", "require_valid", "scan_csv"]

MAX_ERRORS = 100
FIRST_ROWS = 20  # that a scan keeps, to show how the file is read


@dataclass(frozen=True)
class ReadOptions:
    """How the caller says that a file is read; None leaves it to the reader. `columns` maps ours to headings."""

    encoding: str | None = None
    sheet: str | None = None
    columns: Choice | None = None


@dataclass(frozen=True)
class CsvReading:
    """How a file is read: its kind, Python codec, delimiter, header, and the headings of each of our columns.

    `kind` is `csv`, `xlsx`, `xlsb`, `xls` or `ods`. A workbook has a `sheet`, a CSV an `encoding` and a `delimiter`.
    `parts` can be iterated once, while the stream is open. It raises InvalidCsv where the file cannot be read further,
    has too many rows, or has none. `notes` are complete after that.
    """

    kind: str
    sheet: str | None
    encoding: str | None
    delimiter: str | None
    header_line: int
    header: tuple[str, ...]
    indices: Columns
    parts: Iterator[Row | PlainRows]
    _notes: Notes

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The headings of our columns, by their wire names."""
        indices = (self.indices.serial,), (self.indices.name,), self.indices.images
        return {name: tuple(self.header[i] for i in found) for name, found in zip(COLUMNS, indices, strict=True)}

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the reader decided where the file left a choice."""
        return self._notes.all()

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of all parts."""
        for part in self.parts:
            if isinstance(part, Row):
                yield part
            else:
                yield from part


@dataclass(frozen=True)
class Scan:
    """The result of one pass over a file: `images` counts the URLs of good rows, `errors` holds at most 100.

    `first` are the first 20 rows, `hosts` the images of each host, if they were asked for. If the pass `stopped` at
    the errors, the counts are those of the rows up to there.
    """

    rows: int
    products: int
    images: int
    skipped_rows: int
    errors: tuple[RowError, ...]
    errors_truncated: bool
    stopped: bool = False
    first: tuple[Row, ...] = ()
    hosts: tuple[tuple[str, int], ...] = ()


def read_csv(
    stream: BinaryIO, *, limits: CsvLimits, options: ReadOptions = ReadOptions(), all_cells: bool = False
) -> CsvReading:
    """Find out how the seekable `stream` is written and what its columns are, and read its rows on demand.

    The same bytes and options always give the same rows. With `all_cells` each row has all its cells. Memory grows by
    8 to 32 bytes a row.

    Raises:
        UnsupportedFile: the file is not a table, or cannot be unpacked.
        InvalidOption: it names no encoding.
        InvalidCsv: the file has no header, a column is missing or given twice, or its encoding is not clear.
        InfrastructureError: a workbook could not be read now.
    """
    notes = Notes()
    stream = unpack(stream, max_bytes=limits.max_bytes, notes=notes)
    if kind := kind_of(stream):
        return _read_workbook(stream, kind, limits, options, notes, all_cells=all_cells)
    refuse_other_kinds(peek(stream))
    if options.sheet is not None:
        notes.add("option_not_used", "The file is no workbook, so that `sheet` is not used.")
    encoding = find_encoding(stream, choice=options.encoding, notes=notes)
    dialect = find_dialect(open_text(stream, encoding).read(HEAD_CHARS), notes=notes, choice=options.columns)
    header = spread_headings(dialect.header, dialect.rows)
    columns = find_columns(header, dialect.rows, line=dialect.line, notes=notes, choice=options.columns)
    note_shortened(header, dialect.rows, columns, line=dialect.line, notes=notes)
    lines = Lines(open_text(stream, encoding))
    lines.skip(dialect.line - 1)
    parts = read_parts(lines, replace(dialect, header=header), columns, limits, notes, all_cells=all_cells)
    return CsvReading("csv", None, encoding, dialect.delimiter, dialect.line, dialect.header, columns, parts, notes)


def _read_workbook(
    stream: BinaryIO, kind: str, limits: CsvLimits, options: ReadOptions, notes: Notes, *, all_cells: bool
) -> CsvReading:
    if options.encoding is not None:
        notes.add("option_not_used", "A workbook says its encoding itself, so that `encoding` is not used.")
    sheet = open_sheet(stream, kind, wanted=options.sheet, choice=options.columns, notes=notes)
    dialect = find_header(sheet, notes=notes, choice=options.columns)
    header = spread_headings(dialect.header, dialect.rows)
    columns = find_columns(header, dialect.rows, line=dialect.line, notes=notes, choice=options.columns)
    note_columns(sheet, header, columns, line=dialect.line, notes=notes)
    records = read_sheet_records(sheet, dialect, header, columns, notes)
    parts = read_sheet_rows(records, replace(dialect, header=header), columns, limits, notes, all_cells=all_cells)
    return CsvReading(kind, sheet.name, None, None, dialect.line, dialect.header, columns, parts, notes)


def scan_csv(reading: CsvReading, *, stop_at_errors: bool = False, count_hosts: bool = False) -> Scan:
    """Count all rows, note share links, and collect the first 100 errors; `stop_at_errors` ends it beyond them.

    With `count_hosts` it takes 1.4 times as long.

    Raises:
        InvalidCsv: as `CsvReading.parts` does.
    """
    count = _Count()
    for part in reading.parts:
        note_share_links(part, reading._notes)
        if count_hosts:
            count.hosts.add(part)
        if len(count.first) < FIRST_ROWS:
            count.first += [part] if isinstance(part, Row) else islice(part, FIRST_ROWS - len(count.first))
        if isinstance(part, PlainRows):
            count.products += len(part)
            count.good_rows += len(part)
            count.images += part.images
        elif count.is_enough(part) and stop_at_errors:
            return count.scan(stopped=True)
    return count.scan(stopped=False)


@dataclass
class _Count:
    """The counts of a pass so far."""

    products: int = 0
    images: int = 0
    good_rows: int = 0
    skipped_rows: int = 0
    errors: list[RowError] = field(default_factory=list)
    first: list[Row] = field(default_factory=list)
    hosts: HostCounts = field(default_factory=HostCounts)

    def is_enough(self, row: Row) -> bool:
        """Count a row. True if it is bad and there were more than 100 errors before it."""
        if not row.errors:
            self.products += not row.continues
            self.images += len(row.urls)
            self.good_rows += 1
            return False
        self.skipped_rows += 1
        if len(self.errors) > MAX_ERRORS:
            return True
        self.errors.extend(row.errors)
        return False

    def scan(self, *, stopped: bool) -> Scan:
        """The result of the pass."""
        return Scan(
            rows=self.good_rows + self.skipped_rows,
            products=self.products,
            images=self.images,
            skipped_rows=self.skipped_rows,
            errors=tuple(self.errors[:MAX_ERRORS]),
            errors_truncated=len(self.errors) > MAX_ERRORS,
            stopped=stopped,
            first=tuple(self.first),
            hosts=self.hosts.most_common(),
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
