"""Records -> rows: which cell is which column, and the faults of each row by line and column."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import NamedTuple

from imgproc.core.errors import RowError
from imgproc.pipeline.table.cells import INVISIBLE, name_fault, value
from imgproc.pipeline.table.columns import Columns
from imgproc.pipeline.table.excel_marks import note_made_dates
from imgproc.pipeline.table.header_faults import NAMES_OF_DELIMITERS
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.records import Record
from imgproc.pipeline.table.url_items import CHANGES, starts_url
from imgproc.pipeline.table.urls import parse_urls

MAX_TRIED = 20_000  # columns by image columns, to find the cell that was split
_DECIMAL = re.compile(r"\d+,\d{1,2}")


@dataclass(frozen=True)
class CsvLimits:
    """The limits of a file: rows, URLs of a product, and characters of its URLs (by default that of csv.reader)."""

    max_rows: int
    max_images_per_row: int
    max_cell_chars: int = 131_072
    max_bytes: int = 100 * 1024 * 1024  # of a file in an archive


class Row(NamedTuple):
    """One data row; a row with `errors` is bad, and holds the cells that could be read.

    `row` counts data rows from 1, bad ones included and blank lines not; it is 0 for a line that is no row, such as the
    header again, which is only given where all cells are. `line` is where the row starts in an editor.
    A row that `continues` belongs to the product of the row before it, whose serial number and name it has. `cells` are
    all cells of the row as they are in the file, or empty where they were not asked for. A row `belongs` where its
    platform says that it is a part of the product above it.
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
    belongs: bool = False


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
        errors, urls = self._urls(line, cells)
        serial, name = self._identity(line, cells)
        kept = (given if fault else cells) if self._all_cells else ()
        cell = ",".join(urls) if len(columns.images) > 1 else value(cells[columns.images[0]])
        if fault:
            return Row(number, line, serial, name, cell, urls, (fault,), cells=kept)
        # An empty name is the fault of a product, and only `products` knows where one starts.
        if name and (wrong := name_fault(name)):
            errors.insert(0, RowError(line, self._header[columns.name], *wrong))
        rules = columns.rules
        belongs = rules is not None and rules.belongs_above(cells, is_whole=bool(name and urls))
        return Row(number, line, serial, name, cell, urls, tuple(errors), cells=kept, belongs=belongs)

    def _identity(self, line: int, cells: list[str]) -> tuple[str, str]:
        """The serial number and name of a row."""
        columns = self._columns
        serial, name = value(cells[columns.serial]), value(cells[columns.name])
        if not (serial.isascii() and name.isascii()) and INVISIBLE.search(f"{serial}{name}"):
            detail = "A serial number or name holds an invisible character, which is kept."
            self._notes.add("invisible_kept", detail, line=line)
        note_made_dates(serial, name, line=line, notes=self._notes)
        if (rules := columns.rules) is None:
            return serial, name
        for other in rules.serials:
            if name and not serial and (serial := value(cells[other])):
                heading, wanted = self._header[other], self._header[columns.serial]
                detail = f"Where {wanted!r} is empty, {heading!r} is read as the serial number."
                self._notes.add("serial_number_replaced", detail, line=line)
        return serial, name

    def _urls(self, line: int, cells: list[str]) -> tuple[list[RowError], tuple[str, ...]]:
        """The URLs of all image columns in order, and their faults."""
        limits = self._limits
        errors: list[RowError] = []
        found: list[str] = []
        for index in self._columns.images:
            if not (cell := value(cells[index])):
                continue
            if len(cell) > limits.max_cell_chars:
                detail = f"The URL cell has more than {limits.max_cell_chars:,} characters: shorten it."
                errors.append(RowError(line, self._header[index], "cell_too_long", detail))
                continue
            urls, faults, changes = parse_urls(cell, at_most=limits.max_images_per_row)
            for code in changes:
                self._notes.add(code, CHANGES[code], line=line)
            found += urls
            if faults and index not in self._columns.images[1:] and self._is_shifted(cells, index):
                faults[0] += (
                    f' The next cell has a URL: put quotes around an earlier cell that holds a "{self._delimiter}".'
                )
            errors += [RowError(line, self._header[index], "invalid_url", detail) for detail in faults]
        return errors, tuple(found)

    def _is_shifted(self, cells: list[str], index: int) -> bool:
        """Whether a cell with no URL has one beside it, where no pictures are: a cell before it was split in two."""
        beside = index + 1
        is_url = beside < len(cells) and beside not in self._columns.images and starts_url(cells[beside].strip())
        return is_url and len(self._delimiter.strip()) == 1 and "://" not in cells[index]

    def _fit(self, line: int, cells: list[str]) -> tuple[list[str], RowError | None]:
        """As many cells as the header has, and why the row cannot have so few or so many.

        Surplus cells that start a URL belong to the list before them. Blank cells at the end are trailing delimiters.
        """
        count, width = len(cells), len(self._header)
        if count < width:
            missing = count <= self._columns.last
            return cells + [""] * (width - count), self._misfit(line, cells, "too_few_fields") if missing else None
        surplus, blank = count - width, _blank_at_end(cells)
        for first in sorted(self._columns.images, reverse=True):
            more = min(surplus, _urls_from(cells, first) - 1)
            if more > 0 and surplus - more <= blank:
                after = cells[first + more + 1 : width + more]
                detail = (
                    "Cells that begin with a URL, in a row with more cells than the header, are read as its images."
                )
                self._notes.add("surplus_urls_read", detail, line=line)
                return [*cells[:first], self._delimiter.join(cells[first : first + more + 1]), *after], None
        return cells[:width], self._misfit(line, cells, "too_many_fields") if surplus > blank else None

    def _misfit(self, line: int, cells: list[str], code: str) -> RowError:
        """The error of a row with too few or too many cells, which says which cell to quote."""
        count, width = len(cells), len(self._header)
        counts = f"The row has {count} cell{'' if count == 1 else 's'}, the header {width}"
        if count == 1 and self._delimiter in cells[0]:
            detail = f"{counts}: the whole line is in quotes; remove them, and save without quotes around whole lines."
            return RowError(line, None, code, detail)
        for other, name in NAMES_OF_DELIMITERS.items():
            if count == 1 and width > 1 and cells[0].count(other) == width - 1:
                own = NAMES_OF_DELIMITERS.get(self._delimiter, repr(self._delimiter))
                detail = f"The line has {name} between its cells, the header has {own}: write the line with {own}, too."
                return RowError(line, None, code, detail)
        if code == "too_few_fields":
            return RowError(line, None, code, f"{counts}: add what is missing, or remove the line if it is no product.")
        place = self._split_cell(cells)
        whole = self._delimiter.join(cells[place : place + count - width + 1]).strip()[:100]
        detail = f'{counts}: put quotes around a cell that holds a "{self._delimiter}", perhaps "{whole}".'
        return RowError(line, self._header[place], code, detail)

    def _split_cell(self, cells: list[str]) -> int:
        """The index of the cell that was probably split: with its pieces joined, the URLs are where they belong.

        Of several, a decimal number comes first, then the name, then the last that is no cell of images.
        """
        width, images = len(self._header), self._columns.images
        surplus = len(cells) - width
        tried = range(width if width * len(images) <= MAX_TRIED else 0)
        places = [place for place in tried if self._suits(cells, place, surplus)]
        urls = [index for index, cell in enumerate(cells) if starts_url(cell)]
        texts = [
            place
            for place in places
            if place not in images and bisect_left(urls, place) == bisect_left(urls, place + surplus + 1)
        ]
        decimals = [place for place in texts if surplus == 1 and _DECIMAL.fullmatch(",".join(cells[place : place + 2]))]
        named = [place for place in texts if place == self._columns.name]
        return (decimals or named or texts[-1:] or places or [self._columns.first_image])[0]

    def _suits(self, cells: list[str], place: int, surplus: int) -> bool:
        """Whether the cells fit the header if those from `place` on are one."""
        columns = self._columns

        def text(index: int) -> str:
            return "" if index == place else cells[index if index < place else index + surplus].strip()

        images = (text(index) for index in columns.images)
        return all(not cell or starts_url(cell) for cell in images) and not any(
            starts_url(text(index)) for index in (columns.serial, columns.name)
        )

    def _swallowed(self, line: int, cells: list[str]) -> RowError | None:
        """The error of a row with a cell that seems to hold other rows, because its quote was closed too late."""
        for index, cell in enumerate(cells):
            if "\n" in cell and "://" in cell and self._holds_rows(cell, index):
                column = self._header[index] if index < len(self._header) else None
                detail = (
                    "This cell goes on over several lines and holds a URL, so it seems to have swallowed the rows "
                    "below: close its quote, and write a quote that is part of the text twice."
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
            elif len(parts) > columns.last and starts_url(parts[columns.first_image].strip().strip('"')):
                return True
        return False


def _blank_at_end(cells: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda cell: not cell.strip(), reversed(cells)))


def _urls_from(cells: Sequence[str], first: int) -> int:
    """How many cells in sequence start a URL."""
    return sum(1 for _ in takewhile(lambda cell: starts_url(cell.lstrip(" \t\"'“<[(")), islice(cells, first, None)))
