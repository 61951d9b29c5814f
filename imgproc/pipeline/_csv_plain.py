"""Rows that are written plainly, a block of lines at a time, by loops that run in C.

It only spares work. A block is plain where every record is one line, has all cells, and every check of `read_csv` is
sure to find nothing wrong in it; a block with any other record, or with a serial number that does not follow the one
before, is left to them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, repeat

from imgproc.pipeline._csv_cells import MAX_NAME_CHARS, MAX_SERIAL_CHARS
from imgproc.pipeline._csv_records import BLOCK_CHARS, Lines
from imgproc.pipeline._csv_serials import SerialNumbers
from imgproc.pipeline._csv_text import UNDECODABLE
from imgproc.pipeline._csv_urls import MAX_URL_CHARS, PLAIN_LISTS

MAX_FAILURES = 6


@dataclass(frozen=True)
class PlainRows:
    """Good rows one after the other, the first of them number `row` on line `line`; `cells` list URLs by commas."""

    row: int
    line: int
    serials: Sequence[str]
    names: Sequence[str]
    cells: Sequence[str]
    images: int  # URLs of all together

    def __len__(self) -> int:
        return len(self.serials)

    def __iter__(self) -> Iterator[tuple[int, int, str, str, str, tuple[str, ...]]]:
        """Row, line, serial number, product name, URL cell and URLs of each."""
        urls = map(tuple, map(str.split, self.cells, repeat(",")))
        return zip(count(self.row), count(self.line), self.serials, self.names, self.cells, urls)


class PlainReader:
    """Takes blocks of plain rows out of the lines of a file with `columns` columns, ours at `indices`."""

    def __init__(
        self, columns: int, indices: tuple[int, ...], delimiter: str, *, max_images: int, max_cell_chars: int
    ) -> None:
        self._failures = self._pause = 0
        self._max_images = max_images
        self._max_cell_chars = min(max_cell_chars, MAX_URL_CHARS)
        self._columns = columns
        self._indices = indices
        self._delimiter = delimiter

    def take(self, lines: Lines, seen: SerialNumbers, *, row: int, at_most: int) -> PlainRows | None:
        """The rows of the next block, the first of them number `row`; None where any of it is not plain.

        After every failure twice as many blocks are let go by untried, so that a table full of oddities costs no more.
        """
        block = lines.next_block()
        if self._pause:
            self._pause -= 1
            return None
        rows = self._rows(block, lines, seen, row=row, at_most=at_most) if seen.rising else None
        self._failures = 0 if rows else min(self._failures + 1, MAX_FAILURES)
        self._pause = 2**self._failures - 1
        return rows

    def _rows(self, block: str, lines: Lines, seen: SerialNumbers, *, row: int, at_most: int) -> PlainRows | None:
        columns = self._columns_of(block)
        if not columns or len(columns[0]) > at_most:
            return None
        serials, names, cells = (columns[index] for index in self._indices)
        if not (_is_text(serials, MAX_SERIAL_CHARS) and _is_text(names, MAX_NAME_CHARS)):
            return None
        commas = "".join(cells).count(",")
        if commas >= self._max_images and max(map(str.count, cells, repeat(","))) >= self._max_images:
            return None
        if max(map(len, cells)) > self._max_cell_chars or not PLAIN_LISTS.fullmatch("\n".join(cells)):
            return None
        line = lines.number + 1
        if not seen.note_rising(serials, line):
            return None
        lines.skip_block(len(cells))
        return PlainRows(row, line, serials, names, cells, images=len(cells) + commas)

    def _columns_of(self, block: str) -> list[tuple[str, ...]]:
        """The columns of a block, if each record is a line with all its cells; none where it has what `Lines` reports.

        A block with as many records as lines has no line break in a cell.
        """
        block = block.replace("\r\n", "\n")
        *lines, rest = block.split("\n")
        if rest or "\r" in block or UNDECODABLE in block or "\0" in block or len(block) > 2 * BLOCK_CHARS:
            return []
        try:
            records = list(csv.reader(lines, delimiter=self._delimiter, skipinitialspace=True, strict=True))
            columns = list(zip(*records, strict=True))
        except (csv.Error, ValueError):
            return []
        return columns if len(records) == len(lines) and len(columns) == self._columns else []


def _is_text(cells: tuple[str, ...], at_most: int) -> bool:
    """Whether each has up to so many characters, no white space around them, and no guard of a formula before them."""
    if "" in cells or max(map(len, cells)) > at_most or "\n'" in "\n" + "\n".join(cells):
        return False
    return tuple(map(str.strip, cells)) == cells
