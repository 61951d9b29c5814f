"""The cells of a file that have bytes beyond ASCII, collected in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

CHUNK_BYTES = 64 * 1024
MAX_KEPT_BYTES = 16 * 1024  # of distinct cells; more would not change what they tell
MAX_CELL_BYTES = 512
# No second byte of a character is one of these, in any encoding.
_BORDERS = b'\r\n\t,;"'
_TO_LINE_END = bytes.maketrans(_BORDERS, b"\n" * len(_BORDERS))
_ASCII = bytes(range(128))


@dataclass
class BeyondAscii:
    """The distinct cells, with the offset of the first of each: those that are valid UTF-8, and all others.

    `present` are the bytes beyond ASCII of the whole file.
    """

    utf8: dict[bytes, int] = field(default_factory=dict)
    others: dict[bytes, int] = field(default_factory=dict)
    utf8_cells: int = 0
    other_cells: int = 0
    present: set[int] = field(default_factory=set)
    _kept: int = 0

    @classmethod
    def of(cls, stream: BinaryIO, start: int) -> BeyondAscii:
        """Read `stream` from an offset to its end."""
        found = cls()
        stream.seek(start)
        for offset, chunk in _chunks(stream, start):
            if not chunk.isascii():
                found._add(offset, chunk)
        return found

    def _add(self, offset: int, chunk: bytes) -> None:
        if unseen := chunk.translate(None, _ASCII + bytes(self.present)):
            self.present.update(unseen)
        cells = b"\n%b\n" % chunk.translate(_TO_LINE_END)
        for cell, count in Counter(cells.split(b"\n")).items():
            if not cell.isascii() and cell.strip() and (kind := self._count(cell, count)) is not None:
                self._keep(kind, cell[:MAX_CELL_BYTES], offset + cells.index(b"\n%b\n" % cell))

    def _count(self, cell: bytes, count: int) -> dict[bytes, int] | None:
        """Count a cell that occurs `count` times. Returns the cells to keep it with; None if there is no room."""
        if is_utf8 := _is_utf8(cell):
            self.utf8_cells += count
        else:
            self.other_cells += count
        cells = self.utf8 if is_utf8 else self.others
        # A first cell of each kind is always kept.
        return cells if self._kept < MAX_KEPT_BYTES or not cells else None

    def _keep(self, cells: dict[bytes, int], cell: bytes, offset: int) -> None:
        if cell not in cells:
            cells[cell] = offset
            self._kept += len(cell)


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def _chunks(stream: BinaryIO, offset: int) -> Iterator[tuple[int, bytes]]:
    """Yield chunks that end between cells, with their offsets. A cell longer than a chunk is left out."""
    rest = b""
    while block := stream.read(CHUNK_BYTES):
        chunk = rest + block
        end = 1 + max(chunk.rfind(border) for border in _BORDERS)
        if end or len(chunk) < 2 * CHUNK_BYTES:
            yield offset, chunk[:end]
            rest = chunk[end:]
            offset += end
        else:
            offset += len(chunk)
            rest = b""
    yield offset, rest


def line_at(stream: BinaryIO, offset: int) -> int:
    """The line of an offset, as an editor counts it."""
    stream.seek(0)
    line, last = 1, b""
    while offset > 0 and (chunk := stream.read(min(CHUNK_BYTES, offset))):
        offset -= len(chunk)
        line += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
        line -= last == b"\r" and chunk[:1] == b"\n"
        last = chunk[-1:]
    return line
