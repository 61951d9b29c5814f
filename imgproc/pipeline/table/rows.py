"""Records -> rows: which cell is which column, and the faults of each row by line and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import NamedTuple

from imgproc.core.errors import RowError
from imgproc.pipeline.table.cells import MAX_NAME_CHARS, name_fault, value
from imgproc.pipeline.table.columns import Columns
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.records import Record
from imgproc.pipeline.table.url_items import CHANGES, starts_url
from imgproc.pipeline.table.urls import parse_urls


@dataclass(frozen=True)
class CsvLimits:
    """The limits of a file: rows, URLs of a product, and characters of its URLs (by default that of csv.reader)."""

    max_rows: int
    max_images_per_row: int
    max_cell_chars: int = 131_072


class Row(NamedTuple):
    """One data row; a row with `errors` is bad, and holds the cells that could be read.

    `row` counts data rows from 1, bad ones included and blank lines not. `line` is where the row starts in an editor.
    A row that `continues` belongs to the product of the row before it, whose serial number and name it has. `cells` are
    all cells of the row as they are in the file, or empty where they were not asked for.
    A million rows are made, and a frozen dataclass would take twice as long as this tuple.
    """

    row: int
    line: int
    serial_number: str
    product_name: str
    input_cell: str
    urls: tuple[str, ...]
    errors: tuple[RowError, ...] = ()
    continues: bool = False
    cells: Sequence[str] = ()


class RowReader:
    """Turns the records of one file into rows. `products` joins rows to products and looks at serial numbers."""

    def __init__(
        self,
        header: Sequence[str],
        columns: Columns,
        delimiter: str,
        limits: CsvLimits,
        notes: Notes,
        *,
        all_cells: bool,
    ) -> None:
        self._notes = notes
        self._all_cells = all_cells
        self._header = header
        self._columns = columns
        self._delimiter = delimiter
        self._limits = limits

    def read(self, number: int, record: Record) -> Row:
        """The row of a record that is not blank."""
        line, cells, fault = record
        given = cells
        fault = fault or self._swallowed(line, cells)
        if len(cells) != len(self._header):
            cells, misfit = self._fit(line, cells)
            fault = fault or misfit
        columns = self._columns
        serial, name = value(cells[columns.serial]), value(cells[columns.name])
        errors, urls = self._urls(line, cells)
        kept = (given if fault else cells) if self._all_cells else ()
        cell = ",".join(urls) if len(columns.images) > 1 else value(cells[columns.images[0]])
        if fault:
            return Row(number, line, serial, name, cell, urls, (fault,), cells=kept)
        # An empty name is the fault of a product, and only `products` knows where one starts.
        if name and (len(name) > MAX_NAME_CHARS or "http" in name) and (wrong := name_fault(name)):
            errors.insert(0, RowError(line, self._header[columns.name], *wrong))
        return Row(number, line, serial, name, cell, urls, tuple(errors), cells=kept)

    def _urls(self, line: int, cells: list[str]) -> tuple[list[RowError], tuple[str, ...]]:
        """The URLs of all image columns in order, and their faults."""
        limits = self._limits
        errors: list[RowError] = []
        found: list[str] = []
        for index in self._columns.images:
            cell = value(cells[index])
            if len(cell) > limits.max_cell_chars:
                detail = f"The URL cell has more than {limits.max_cell_chars:,} characters: shorten it."
                errors.append(RowError(line, self._header[index], "cell_too_long", detail))
                continue
            urls, faults, changes = parse_urls(cell, at_most=limits.max_images_per_row)
            for code in changes:
                self._notes.add(code, CHANGES[code], line=line)
            found += urls
            errors += [RowError(line, self._header[index], "invalid_url", detail) for detail in faults]
        return errors, tuple(found)

    def _fit(self, line: int, cells: list[str]) -> tuple[list[str], RowError | None]:
        """As many cells as the header has, and why the row cannot have so few or so many.

        Surplus cells that start a URL belong to the list before them. Blank cells at the end are trailing delimiters.
        """
        count, width = len(cells), len(self._header)
        if count < width:
            missing = count <= self._columns.last
            return cells + [""] * (width - count), self._misfit(line, cells, "too_few_fields") if missing else None
        surplus, blank = count - width, _blank_at_end(cells)
        for first in reversed(self._columns.images):
            more = min(surplus, _urls_from(cells, first) - 1)
            if more > 0 and surplus - more <= blank:
                after = cells[first + more + 1 : width + more]
                return [*cells[:first], self._delimiter.join(cells[first : first + more + 1]), *after], None
        return cells[:width], self._misfit(line, cells, "too_many_fields") if surplus > blank else None

    def _misfit(self, line: int, cells: list[str], code: str) -> RowError:
        """The error of a row with too few or too many cells, which says which cell to quote."""
        count, width = len(cells), len(self._header)
        counts = f"The row has {count} cell{'' if count == 1 else 's'}, the header {width}"
        if code == "too_few_fields":
            return RowError(line, None, code, f"{counts}: add the missing cells or delimiters.")
        place = self._split_cell(cells)
        whole = self._delimiter.join(cells[place : place + count - width + 1]).strip()[:100]
        detail = f'{counts}: put quotes around a cell that holds a "{self._delimiter}", perhaps "{whole}".'
        return RowError(line, self._header[place], code, detail)

    def _split_cell(self, cells: list[str]) -> int:
        """The index of the cell that was probably split: after it the URLs are one place off."""
        first = self._columns.images[0]
        if starts_url(cells[first].strip()):
            return min(first + 1, len(self._header) - 1) if first != self._columns.last else first
        return self._columns.name if self._columns.name < first else first

    def _swallowed(self, line: int, cells: list[str]) -> RowError | None:
        """The error of a row with a cell that seems to hold other rows, because its quote was closed too late."""
        for index, cell in enumerate(cells):
            if "\n" in cell and "://" in cell and self._holds_rows(cell, index):
                column = self._header[index] if index < len(self._header) else None
                detail = (
                    "This cell spans lines and holds a delimiter and a URL, so it seems to have swallowed other "
                    "rows: close its quote, and double quotes that are part of the text."
                )
                return RowError(line, column, "swallowed_rows", detail)
        return None

    def _holds_rows(self, cell: str, index: int) -> bool:
        columns = self._columns
        if index in (columns.serial, columns.name) and self._delimiter in cell:
            return True
        for text in cell.splitlines()[1:]:
            parts = text.split(self._delimiter)
            if index in columns.images:
                if len(parts) > 1 and not starts_url(text.strip()) and "://" in text:
                    return True
            elif len(parts) > columns.last and starts_url(parts[columns.images[0]].strip().strip('"')):
                return True
        return False


def _blank_at_end(cells: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda cell: not cell.strip(), reversed(cells)))


def _urls_from(cells: Sequence[str], first: int) -> int:
    """How many cells in sequence start a URL."""
    return sum(1 for _ in takewhile(lambda cell: starts_url(cell.strip()), islice(cells, first, None)))
