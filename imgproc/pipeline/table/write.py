"""Rows of the input -> the output file and the failed file, which have the columns of the input and one more."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from imgproc.pipeline.table.cells import value
from imgproc.pipeline.table.columns import COLUMNS, OUR_NAMES, Columns, key, repeats_header
from imgproc.pipeline.table.formulas import guard, unguard
from imgproc.pipeline.table.rows import Row

OUTPUT, ERROR = "Output Image Urls", "Error"
OUR_COLUMNS = Columns(0, 1, (2,))
CHUNK_CHARS = 64 * 1024


@dataclass(frozen=True)
class Layout:
    """The header of the input, which of its columns are ours, and its delimiter."""

    header: Sequence[str] = tuple(OUR_NAMES[column] for column in COLUMNS)
    columns: Columns = OUR_COLUMNS
    delimiter: str = ","


@dataclass(frozen=True)
class FileRow:
    """One row of the input, with all its cells, and what became of it.

    `outputs` has a slot for each URL of the row, in order; None is a failed image. `error` says what failed, and is
    None where nothing did.
    """

    row: Row
    outputs: Sequence[str | None]
    error: str | None = None


def output_lines(layout: Layout, rows: Iterable[FileRow]) -> Iterator[list[str]]:
    """The lines of the output file, its header first, with formulas guarded. Each has as many cells as the header."""
    fit = _Fit(layout, added=OUTPUT)
    yield fit.line(layout.header, OUTPUT)
    for each in rows:
        is_header = not each.row.row and repeats_header(each.row.cells, layout.header, layout.columns)
        yield fit.line(each.row.cells, OUTPUT if is_header else ",".join(slot or "" for slot in each.outputs))


class FailedFile:
    """Writes the failed CSV into `stream`: rows with an error, and those that they continue.

    A row that lacks a serial number or a name has them from an earlier row, which comes before it here too. So the file
    uploaded again gives the same products.
    """

    def __init__(self, layout: Layout, stream: IO[bytes], *, bom: bool = False) -> None:
        self._fit = _Fit(layout, added=ERROR)
        self._columns = layout.columns
        self._named: Row | None = None  # the last row with a serial number and a name of its own
        self._named_is_written = False
        self._text = io.TextIOWrapper(stream, "utf-8-sig" if bom else "utf-8", newline="")
        self._write_line = _line_writer(self._text)
        self._write_line(self._fit.line(layout.header, ERROR))
        self.rows = 0

    def add(self, each: FileRow) -> None:
        """Take the next row of the input."""
        row, named = each.row, self._named
        if not row.row:  # a line that is no row
            return
        if _is_named(row, self._columns):
            self._named, self._named_is_written = row, each.error is not None
        elif each.error is not None and named and named.serial_number == row.serial_number:
            if not self._named_is_written:
                self._write(named, "")
            self._named_is_written = True
        if each.error is not None:
            self._write(row, each.error)

    def finish(self) -> None:
        """Write what is left. `stream` stays open."""
        self._text.flush()
        self._text.detach()

    def _write(self, row: Row, error: str) -> None:
        self._write_line(self._fit.line(row.cells, error))
        self.rows += 1


def _is_named(row: Row, columns: Columns) -> bool:
    """Whether the row has a serial number and a name of its own."""
    cells = row.cells
    return all(index < len(cells) and cells[index].strip() for index in (columns.serial, columns.name))


def write_csv(lines: Iterable[Sequence[str]], *, bom: bool = False) -> Iterator[bytes]:
    """Yield a CSV in chunks of about 64 KiB: UTF-8, with a byte order mark if asked for, by RFC 4180."""
    buffer = io.StringIO("\ufeff" if bom else "", newline="")
    buffer.seek(0, io.SEEK_END)
    write_line = _line_writer(buffer)
    for line in lines:
        write_line(line)
        if buffer.tell() >= CHUNK_CHARS:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _line_writer(stream: IO[str]) -> Callable[[Sequence[str]], object]:
    """Writes a line by RFC 4180. One with a cell that begins with a space is quoted: readers drop such a space."""
    plain = csv.writer(stream, lineterminator="\r\n")
    quoted = csv.writer(stream, lineterminator="\r\n", quoting=csv.QUOTE_ALL)

    def write(line: Sequence[str]) -> object:
        return (quoted if any(cell[:1] == " " for cell in line) else plain).writerow(line)

    return write


class _Fit:
    """Makes each row of the input a line: as many cells as its header has, without an earlier column `added`."""

    def __init__(self, layout: Layout, *, added: str) -> None:
        columns = layout.columns
        ours = {columns.serial, columns.name, *columns.images}
        width = len(layout.header)
        self._kept = [i for i, name in enumerate(layout.header) if i in ours or key(name) != key(added)]
        self._is_whole = len(self._kept) == width
        self._width = width
        # Glued to the last cell, the surplus of a bad row must not look like a part of its last URL.
        self._glue = " " if width - 1 in columns.images else layout.delimiter

    def line(self, cells: Sequence[str], last: str) -> list[str]:
        """The cells that are kept, then `last`."""
        if len(cells) != self._width:
            cells = self._fitted(cells)
        if not self._is_whole:
            cells = [cells[index] for index in self._kept]
        return [*map(_safe, cells), guard(last)]

    def _fitted(self, cells: Sequence[str]) -> Sequence[str]:
        """As many cells as the header: missing ones are empty, and surplus ones are joined to the last."""
        end = self._width - 1
        if len(cells) <= end:
            return [*cells, *[""] * (end + 1 - len(cells))]
        surplus = self._glue.join(cell for cell in cells[end:] if cell.strip())
        return [*cells[:end], surplus]


def _safe(cell: str) -> str:
    """The cell as it is, or guarded where a spreadsheet would run it. A guard that it has is not doubled."""
    text = cell.rstrip()
    if guard(text) is text or unguard(text) is not text:
        return cell
    bare = text.lstrip()
    return guard(value(cell) if unguard(bare) is not bare or bare.startswith('="') else cell)
