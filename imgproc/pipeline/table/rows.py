"""The records of a CSV -> its rows: which cell is which column, and the faults of each row by line and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from imgproc.core.errors import InvalidCsv, RowError
from imgproc.pipeline.table.cells import MAX_NAME_CHARS, MAX_SERIAL_CHARS, name_fault, serial_fault, urls_fault, value
from imgproc.pipeline.table.header import is_blank
from imgproc.pipeline.table.plain import PlainReader, PlainRows
from imgproc.pipeline.table.records import Lines, Record
from imgproc.pipeline.table.serials import SerialNumbers
from imgproc.pipeline.table.text import invalid_csv
from imgproc.pipeline.table.urls import parse_urls, starts_url


@dataclass(frozen=True)
class CsvLimits:
    """The limits of a file: rows, URLs of a row, and characters of the URL cell (by default that of csv.reader)."""

    max_rows: int
    max_images_per_row: int
    max_cell_chars: int = 131_072


class Row(NamedTuple):
    """One data row; a row with `errors` is bad, and holds the cells that could be read.

    `row` counts data rows from 1, bad ones included and blank lines not. `line` is where the row starts in an editor.
    A million rows are made, and a frozen dataclass would take twice as long as this tuple.
    """

    row: int
    line: int
    serial_number: str
    product_name: str
    input_cell: str
    urls: tuple[str, ...]
    errors: tuple[RowError, ...] = ()


class RowReader:
    """Turns the records of one file into rows."""

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
        """The rows after the header, as `CsvReading.parts` describes. `records` reads from the same `lines`."""
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
            # Almost every row has text in its first cell, and looking there first is faster.
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
        has_serial = 0 < len(serial) <= MAX_SERIAL_CHARS
        first_line = self._serials.first_line(serial, line) if has_serial else None
        good = not bad_urls and 0 < len(urls) <= limits.max_images_per_row and 0 < len(name) <= MAX_NAME_CHARS
        if good and has_serial and first_line is None:
            return Row(number, line, serial, name, cell, urls)
        faults = [
            (serial_index, serial_fault(serial, first_line)),
            (name_index, name_fault(name)),
            (urls_index, urls_fault(cell, urls, max_chars=limits.max_cell_chars, max_images=limits.max_images_per_row)),
        ]
        faults += [(urls_index, ("invalid_url", detail)) for detail in bad_urls]
        errors = tuple(RowError(line, self._header[index], *fault) for index, fault in faults if fault)
        return Row(number, line, serial, name, cell, urls, errors)

    def _fit(self, cells: list[str]) -> None:
        """Give the row as many `cells` as the header has: add missing ones, and join an unquoted list of URLs again.

        Surplus cells belong to the list of URLs, whichever its column. Blank cells at the end of the line are trailing
        delimiters and are dropped, unless that would take a URL out of the list.
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
