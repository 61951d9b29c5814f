"""Lines -> an XLSX workbook, a row at a time, so that its memory does not grow with its rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

MAX_SHEET_ROWS = 1_048_576  # of a worksheet, its header included
MAX_CELL_CHARS = 32_767  # UTF-16 code units
CUT = "… (cut here: Excel keeps no more of a cell; the CSV has all of it)"
# XML cannot hold these; spreadsheets call such a workbook damaged.
_NOT_XML = {0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}


class Workbook:
    """A workbook that is written into `stream` when it is closed; until then it takes disk, and little memory.

    Every cell is text: no URL becomes a link, of which a worksheet has room for 65,530, and no formula runs. The rows
    beyond those of one worksheet go on in the next, under the same header. Its owner discards it at the end.
    """

    def __init__(self, stream: IO[bytes], *, sheet_rows: int = MAX_SHEET_ROWS) -> None:
        import xlsxwriter  # noqa: PLC0415 - 2 MB, for the few who ask for a workbook

        self._folder = tempfile.TemporaryDirectory(prefix="workbook-")
        self._book = xlsxwriter.Workbook(stream, {"constant_memory": True, "tmpdir": self._folder.name})
        self._header: Sequence[str] = ()
        self._sheet: Worksheet | None = None
        self._rows, self._most = 0, sheet_rows

    def add(self, line: Sequence[str]) -> None:
        """Write the next line; the first is the header."""
        self._header = self._header or line
        if self._sheet is None or self._rows == self._most:
            self._sheet, self._rows = self._book.add_worksheet(), 0
            self._sheet.freeze_panes(1, 0)
            if line is not self._header:
                self._write(self._sheet, self._header)
        self._write(self._sheet, line)

    def close(self) -> None:
        """Write the file."""
        self._book.close()

    def discard(self) -> None:
        """Delete the temporary files: xlsxwriter keeps each worksheet in one until the workbook is closed."""
        for sheet in self._book.worksheets():
            with suppress(OSError):  # what is not written yet finds no room on a full disk
                sheet.row_data_fh.close()
        self._folder.cleanup()

    def _write(self, sheet: Worksheet, line: Sequence[str]) -> None:
        for column, cell in enumerate(line):
            if cell:
                sheet.write_string(self._rows, column, _text(cell))
        self._rows += 1


def _text(cell: str) -> str:
    """The cell as XML can hold it, cut to what a cell of Excel can."""
    cell = cell.translate(_NOT_XML) if not cell.isascii() else cell
    if len(cell) <= MAX_CELL_CHARS // 2 or len(cell.encode("utf-16-le")) // 2 <= MAX_CELL_CHARS:
        return cell
    kept = cell.encode("utf-16-le")[: 2 * (MAX_CELL_CHARS - len(CUT))]
    return kept.decode("utf-16-le", "ignore") + CUT
