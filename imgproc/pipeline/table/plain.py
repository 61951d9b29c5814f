"""Reads plain rows a block of lines at a time, by loops that run in C.

This is only faster: `read_csv` gives the same rows without it. A block is plain if every record is one line and has all
cells, every check of `read_csv` would pass, and each serial number follows the one before. Any other block is left to
the record reader.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count, repeat

from imgproc.pipeline.http.unshareable_links import any_unshareable, has_rules
from imgproc.pipeline.table.cells import FORMULA_ERRORS, INVISIBLE, MAX_NAME_CHARS, MAX_SERIAL_CHARS
from imgproc.pipeline.table.excel_marks import is_made_date
from imgproc.pipeline.table.records import BLOCK_CHARS, Lines
from imgproc.pipeline.table.rows import Row
from imgproc.pipeline.table.serials import SerialNumbers
from imgproc.pipeline.table.text import UNDECODABLE
from imgproc.pipeline.table.urls import MAX_URL_CHARS, PLAIN_LISTS, PLAIN_URL

# Characters that no plain cell holds, quoted or not: quotes, line ends, and those that `Lines` reports as a fault.
_NEVER = r"\"\r\n\0\udfff"
MAX_FAILURES = 6

# Serial numbers, names, URL cells, and all cells of each row.
Columns = tuple[Sequence[str], Sequence[str], Sequence[str], Iterable[Sequence[str]]]


@dataclass(frozen=True)
class PlainRows:
    """Consecutive good rows. The first is row number `row` on line `line`. `cells` are URLs separated by commas."""

    row: int
    line: int
    serials: Sequence[str]
    names: Sequence[str]
    cells: Sequence[str]
    images: int  # URLs of all rows
    records: Sequence[Sequence[str]] = ()  # all cells of each row, if they were asked for

    def __len__(self) -> int:
        return len(self.serials)

    @property
    def last(self) -> Row:
        """The last of the rows."""
        end, cell = len(self) - 1, self.cells[-1]
        return Row(self.row + end, self.line + end, self.serials[-1], self.names[-1], cell, tuple(cell.split(",")))

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        urls = map(tuple, map(str.split, self.cells, repeat(",")))
        given = (count(self.row), count(self.line), self.serials, self.names, self.cells, urls)
        return map(Row, *given, repeat(()), repeat(False), self.records or repeat(()))


class PlainReader:
    """Takes blocks of plain rows from the lines of a file with `columns` columns, ours at `indices`."""

    def __init__(
        self,
        columns: int,
        indices: tuple[int, ...],
        delimiter: str,
        *,
        max_images: int,
        max_cell_chars: int,
        all_cells: bool = False,
    ) -> None:
        self._failures = self._pause = 0
        self._all_cells = all_cells
        self._max_images = max_images
        self._max_cell_chars = min(max_cell_chars, MAX_URL_CHARS)
        if columns == len(indices) and list(indices) == sorted(indices):
            self._find: Callable[[str], Columns | None] = _Matcher(delimiter)
        else:
            self._find = partial(_parse, columns, indices, delimiter)

    def take(self, block: str, lines: Lines, seen: SerialNumbers, *, row: int, at_most: int) -> PlainRows | None:
        """The rows of `block`, the next of `lines`, numbered from `row`; None where any of them is not plain.

        Each failure doubles the number of blocks that are not tried, so a file without plain blocks costs little more.
        """
        if self._pause:
            self._pause -= 1
            return None
        rows = self._rows(block, lines, seen, row=row, at_most=at_most) if seen.rising else None
        self._failures = 0 if rows else min(self._failures + 1, MAX_FAILURES)
        self._pause = 2**self._failures - 1
        return rows

    def _rows(self, block: str, lines: Lines, seen: SerialNumbers, *, row: int, at_most: int) -> PlainRows | None:
        # A pattern's memory grows with the line, so a line of a megabyte is left to the record reader.
        columns = self._find(block) if len(block) <= 2 * BLOCK_CHARS else None
        if columns is None or len(columns[0]) > at_most:
            return None
        serials, names, cells, records = columns
        urls = "\n".join(cells)
        commas = urls.count(",")
        if commas >= self._max_images and max(map(str.count, cells, repeat(","))) >= self._max_images:
            return None
        images = len(cells) + commas
        if max(map(len, cells)) > self._max_cell_chars or _may_be_unshareable(urls, images):
            return None
        if _has_odd_cells(block, images, urls, serials, names):
            return None
        line = lines.number + 1
        if not seen.note_rising(serials, line):
            return None
        lines.skip_block(len(cells))
        return PlainRows(row, line, serials, names, cells, images, tuple(records) if self._all_cells else ())


def _may_be_unshareable(urls: str, images: int) -> bool:
    """Whether any of the `images` URLs may serve no picture. Most files have one host, which is then looked up once."""
    start = urls[: urls.find("/", len("https://")) + 1]
    return (not start or urls.count(start) != images or has_rules(start.split("/")[2])) and any_unshareable(urls)


def _has_odd_cells(block: str, images: int, urls: str, serials: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a cell has a URL too many, an invisible character, an error of a formula, or a date."""
    if any("-" in "\n".join(cells) and any(map(is_made_date, cells)) for cells in (serials, names)):
        return True
    if block.isascii() and block.count(":") == images and "#" not in block and "+" not in block:
        return False
    text = f"{''.join(serials)}\n{''.join(names)}"
    if urls.count("://") != images or "://" in text or "E+" in text:
        return True
    if not text.isascii() and INVISIBLE.search(text):
        return True
    return not (FORMULA_ERRORS.isdisjoint(serials) and FORMULA_ERRORS.isdisjoint(names))


class _Matcher:
    """Finds our columns in blocks that have no others, in our order; None where a line is not plain.

    Most programs put quotes around the same columns of every row. A pattern of that form is faster than the one of any
    row, so it is tried first, until a block has rows of several forms.
    """

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._any_row = _row_pattern(delimiter)
        self._is_uniform = True

    def __call__(self, block: str) -> Columns | None:
        first = self._any_row.match(block)
        if not first or not block.endswith("\n"):
            return None
        lines = block.count("\n")
        if self._is_uniform:
            quoted = tuple(cell.startswith('"') for cell in first.groups())
            found = _row_pattern(self._delimiter, quoted).findall(block)
            if len(found) == lines:
                serials, names, cells = zip(*found, strict=True)
                return serials, names, cells, found
        found = self._any_row.findall(block)
        if len(found) != lines:
            return None
        self._is_uniform = False
        serials, names, cells = (_unquoted(column) for column in zip(*found, strict=True))
        return serials, names, cells, zip(serials, names, cells, strict=True)


@cache
def _row_pattern(delimiter: str, quoted: tuple[bool, ...] = ()) -> re.Pattern[str]:
    """The pattern of a row with only our three columns, in our order, each a group.

    `quoted` tells which are in quotes. Without it each may be or not, and the groups hold the quotes, too.
    """
    bare = re.escape(delimiter)
    forms = (
        (_text("", at_most=MAX_SERIAL_CHARS), _text(bare, at_most=MAX_SERIAL_CHARS)),
        (_text("", at_most=MAX_NAME_CHARS), _text(bare, at_most=MAX_NAME_CHARS)),
        # A choice with nothing takes half the time of an optional group.
        (rf"{PLAIN_URL}(?:,{PLAIN_URL}(?:,{PLAIN_URL})*|)", PLAIN_URL),
    )
    if quoted:
        cells = (
            f'"({inside})"' if is_quoted else f"({alone})"
            for is_quoted, (inside, alone) in zip(quoted, forms, strict=True)
        )
    else:
        cells = (f'("{inside}"|{alone})' for inside, alone in forms)
    return re.compile("^" + bare.join(cells) + r"\r?\n", re.MULTILINE)


def _text(delimiter: str, *, at_most: int) -> str:
    """The pattern of a text without white space around it and without the guard of a formula before it."""
    inner, last = rf"[^{_NEVER}{delimiter}]", rf"[^\s{_NEVER}{delimiter}]"
    return rf"[^\s{_NEVER}{delimiter}'](?:{inner}{{0,{at_most - 2}}}{last}|)"


def _unquoted(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The cells without the quotes around them; plain cells have no others."""
    text = "\n".join(cells)
    return tuple(text.replace('"', "").split("\n")) if '"' in text else cells


def _parse(columns: int, indices: tuple[int, ...], delimiter: str, block: str) -> Columns | None:
    """Our columns among others; None where a record spans lines, lacks a cell, or is not plain."""
    whole = block.endswith("\n") and block.count("\r") == block.count("\r\n")
    if not whole or UNDECODABLE in block or "\0" in block:
        return None
    lines = block.split("\n")
    lines.pop()
    try:
        records = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True))
        found = list(zip(*records, strict=True))
    except (csv.Error, ValueError):
        return None
    if len(found) != columns or len(found[0]) != len(lines):  # Fewer records than lines: a cell has a line break.
        return None
    serials, names, cells = (found[index] for index in indices)
    plain = _is_text(serials, MAX_SERIAL_CHARS) and _is_text(names, MAX_NAME_CHARS)
    return (serials, names, cells, records) if plain and PLAIN_LISTS.fullmatch("\n".join(cells)) else None


def _is_text(cells: tuple[str, ...], at_most: int) -> bool:
    """Whether no cell is empty, longer than `at_most`, within white space, or guarded as a formula."""
    if "" in cells or max(map(len, cells)) > at_most or '="' in "".join(cells) or "\n'" in "\n" + "\n".join(cells):
        return False
    return tuple(map(str.strip, cells)) == cells
