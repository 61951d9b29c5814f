"""Rows that are written plainly, a block of lines at a time: one pattern finds what every line of the block holds.

It only spares work. A line is plain where `csv.reader` and every check of `read_csv` are sure to find the same in it,
and nothing wrong; a block with any other line, or with a serial number that does not follow the one before, is left to
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, repeat

from imgproc.pipeline._csv_cells import MAX_NAME_CHARS, MAX_SERIAL_CHARS
from imgproc.pipeline._csv_records import BLOCK_CHARS, Lines
from imgproc.pipeline._csv_serials import SerialNumbers
from imgproc.pipeline._csv_urls import MAX_URL_CHARS, PLAIN_URL

# What a cell cannot hold, quoted or not: a quote, the end of the line, and what `Lines` reports as a fault.
_NEVER = r"\"\r\n\0\udfff"
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
        bare = re.escape(delimiter)
        cells = [rf'(?:"[^{_NEVER}]*"|[^{_NEVER}{bare}]*)'] * columns
        serial, name, urls = indices
        cells[serial] = _either(_text("", at_most=MAX_SERIAL_CHARS), _text(bare, at_most=MAX_SERIAL_CHARS))
        cells[name] = _either(_text("", at_most=MAX_NAME_CHARS), _text(bare, at_most=MAX_NAME_CHARS))
        cells[urls] = _either(rf"{PLAIN_URL}(?:,{PLAIN_URL})*", PLAIN_URL)
        self._row = re.compile("^" + bare.join(cells) + r"\r?\n", re.MULTILINE)
        self._order = [sorted(indices).index(index) for index in indices]

    def take(self, lines: Lines, seen: SerialNumbers, *, row: int, at_most: int) -> PlainRows | None:
        """The rows of the next block, the first of them number `row`; None where any of it is not plain.

        After every failure twice as many blocks are let go by untried, so that a table full of oddities costs no more.
        """
        block = lines.next_block()
        if self._pause:
            self._pause -= 1
            return None
        rows = self._rows(block, lines, seen, row=row, at_most=at_most)
        self._failures = 0 if rows else min(self._failures + 1, MAX_FAILURES)
        self._pause = 2**self._failures - 1
        return rows

    def _rows(self, block: str, lines: Lines, seen: SerialNumbers, *, row: int, at_most: int) -> PlainRows | None:
        # What the pattern has to remember grows with the line, so one of a megabyte is left to the reader.
        if not seen.rising or len(block) > 2 * BLOCK_CHARS or not self._row.match(block):
            return None
        found = self._row.findall(block)
        if len(found) != block.count("\n") or not block.endswith("\n") or len(found) > at_most:
            return None
        columns = list(zip(*found, strict=True))
        serials, names, cells = (_unquoted(columns[place]) for place in self._order)
        commas = "".join(cells).count(",")
        if commas >= self._max_images and max(map(str.count, cells, repeat(","))) >= self._max_images:
            return None
        if max(map(len, cells)) > self._max_cell_chars:
            return None
        line = lines.number + 1
        if not seen.note_rising(serials, line):
            return None
        lines.skip_block(len(cells))
        return PlainRows(row, line, serials, names, cells, images=len(cells) + commas)


def _either(quoted: str, bare: str) -> str:
    """A cell as one group, with its quotes."""
    return f'("(?:{quoted})"|(?:{bare}))'


def _unquoted(cells: Sequence[str]) -> Sequence[str]:
    """Plain cells have no quotes but those around them."""
    return list(map(str.strip, cells, repeat('"'))) if '"' in "".join(cells) else cells


def _text(delimiter: str, *, at_most: int) -> str:
    """A text without white space around it, or the mark of a formula before it."""
    inner, last = rf"[^{_NEVER}{delimiter}]", rf"[^\s{_NEVER}{delimiter}]"
    return rf"(?!'){last}(?:{inner}{{0,{at_most - 2}}}{last})?"
