"""The text of a CSV -> records: the cells of each row and the line it starts on, in bounded memory."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from imgproc.core.errors import InvalidCsv, RowError
from imgproc.pipeline.table.code_pages import label
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.quotes import Quotes
from imgproc.pipeline.table.text import UNDECODABLE, invalid_csv

MAX_ROW_CHARS = 1024 * 1024
MAX_ROW_LINES = 10_000
CLOSE_IT = "close it after the text of its cell, or remove it."
_BLANK_AFTER_QUOTE = re.compile(r'"[ \t\xa0]+(?=[,;|\r\n]|$)')
BLOCK_CHARS = 32 * 1024  # of the rows that PlainReader tries together


class RowTooLongError(Exception):
    """A row has more than MAX_ROW_CHARS characters or MAX_ROW_LINES lines, too much to keep in memory."""


@dataclass
class Lines:
    """The lines of a text, for csv.reader; `row` keeps the lines read since it was last cleared.

    `number` counts the lines taken, one by one or as a block. `fault` is (index in `row`, code) of the first line where
    bytes that are not text became U+FFFD.
    """

    text: io.TextIOWrapper
    row: list[str] = field(default_factory=list)
    fault: tuple[int, str] | None = None
    ended: bool = False
    number: int = 0
    waiting: bool = False  # whether lines of a block are not taken yet
    quotes: Quotes | None = None  # of the cells, if they are not the usual ones
    _block: io.StringIO = field(default_factory=io.StringIO)

    def skip(self, lines: int) -> None:
        """Skip lines before the header."""
        for _ in range(lines):
            self.text.readline()
        self.number += lines

    def next_block(self) -> str:
        """Read the next block of whole lines; empty at the end. Call it between two rows, with no line `waiting`."""
        block = self.text.read(BLOCK_CHARS)
        block += self.text.readline(MAX_ROW_CHARS + 1)
        self._block, self.waiting = io.StringIO(block, newline=""), True
        return block

    def skip_block(self, lines: int) -> None:
        """Take all lines of the block without reading them."""
        self._block, self.waiting = io.StringIO(), False
        self.number += lines

    def __iter__(self) -> Iterator[str]:
        row, readline = self.row, self.text.readline
        size = 0
        while True:
            line = self._block.readline(MAX_ROW_CHARS + 1)
            if not line:
                self.waiting = False
                line = readline(MAX_ROW_CHARS + 1)
                if not line:
                    break
            self.number += 1
            if UNDECODABLE in line or "\0" in line:
                line = self._replace_faults(line)
            size = size + len(line) if row else len(line)
            row.append(line)
            if size > MAX_ROW_CHARS or len(row) > MAX_ROW_LINES:
                raise RowTooLongError
            yield self.quotes.mended(line) if self.quotes else line
        self.ended = True

    def _replace_faults(self, line: str) -> str:
        for character, code in ((UNDECODABLE, "undecodable"), ("\0", "nul_character")):
            if character in line:
                self.fault = self.fault or (len(self.row), code)
                line = line.replace(character, "\ufffd")
        return line


def is_blank_block(block: str, delimiter: str) -> bool:
    """Whether whole lines hold nothing but white space and delimiters: spreadsheets add them by the million."""
    return len(block) < MAX_ROW_CHARS and not block.strip(f"{delimiter} \t\r\n\x1a")


def count_lines(block: str) -> int:
    """How many lines a block has, whatever ends them."""
    ends = block.count("\n") + block.count("\r") - block.count("\r\n")
    return ends + (not block.endswith(("\n", "\r")))


# The line a row starts on, its cells, and why the cells may be wrong.
Record = tuple[int, list[str], RowError | None]


def read_records(lines: Lines, delimiter: str, notes: Notes) -> Iterator[Record]:
    """Parse `lines` into records by RFC 4180; a blank line is a record without cells.

    White space after the quote that closes a cell is left out, and noted.

    Raises:
        InvalidCsv: a quote is never closed, or a row is too long, so the rest of the file cannot be trusted.
    """
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    row = lines.row
    while True:
        line = lines.number + 1
        row.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except RowTooLongError as error:
            raise _too_long(line, row, delimiter) from error
        except csv.Error as error:
            if cells := _without_blanks_after_quotes(row, delimiter):
                notes.add("blank_after_quote", "White space after a closing quote is left out.", line=line)
            else:
                lines.fault = None
                yield _malformed(line, lines, delimiter, str(error))
                continue
        if lines.quotes:
            cells = lines.quotes.restored(cells)
        yield line, cells, _unreadable(line, lines) if lines.fault else None


def _without_blanks_after_quotes(row: list[str], delimiter: str) -> list[str]:
    """The cells of a refused row if nothing but white space after closing quotes is wrong with it, else none."""
    mended = [_BLANK_AFTER_QUOTE.sub('"', line) if delimiter != "\t" else line for line in row]
    try:
        records = list(csv.reader(mended, delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        return []
    return records[0] if len(records) == 1 and mended != row else []


def _too_long(line: int, row: list[str], delimiter: str) -> InvalidCsv:
    """The error of a row too long to keep. If one cell takes most of its lines, its quote was left open."""
    most = f"{MAX_ROW_CHARS:,} characters"
    if len(row) > MAX_ROW_LINES:
        most = f"{MAX_ROW_LINES:,} lines"
        opened = _line_of_open_quote(row, delimiter)
        if opened < len(row) / 2:
            detail = f"The quote opened on line {line + opened} is open for thousands of lines: {CLOSE_IT}"
            return invalid_csv(line + opened, None, "unterminated_quote", detail)
    detail = f"The row has more than {most}: put each product on a line of its own."
    return invalid_csv(line, None, "row_too_long", detail)


def _malformed(line: int, lines: Lines, delimiter: str, reason: str) -> Record:
    """The record that csv.reader refused, as far as it can be read; reading goes on at the next line."""
    too_long = "field larger" in reason
    if lines.ended or (too_long and sum(line.count('"') for line in lines.row) % 2):
        opened = line if too_long else line + _line_of_open_quote(lines.row, delimiter)
        detail = f"The quote opened on line {opened} is never closed: {CLOSE_IT}"
        raise invalid_csv(opened, None, "unterminated_quote", detail)
    if too_long:
        detail = f"A cell has more than {csv.field_size_limit():,} characters: shorten it."
        return line, [], RowError(line, None, "cell_too_long", detail)
    closed = line + len(lines.row) - 1
    detail = (
        f"Text follows the quote that closes a cell on line {closed}: put quotes around all of the cell, and write a "
        'quote inside it twice, as in "Pipe 5"" red".'
    )
    return line, _read_leniently(lines.row, delimiter), RowError(line, None, "stray_quote", detail)


def _read_leniently(row: list[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(row, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:  # After the fault a cell may be too long.
        return []


def _line_of_open_quote(row: list[str], delimiter: str) -> int:
    """The index of the line on which the last cell starts; its open quote takes in the rest of the lines."""
    *_, last = _read_leniently(row, delimiter) or [""]
    spanned = len(io.StringIO(last, newline="").readlines())
    return len(row) - max(spanned, 1)


def _unreadable(line: int, lines: Lines) -> RowError:
    index, code = lines.fault or (0, "undecodable")
    lines.fault = None
    if code == "nul_character":
        detail = "The line holds a character that no program shows (NUL): remove it, or save the table as “CSV UTF-8”."
    else:
        name = label(lines.text.encoding)
        detail = (
            f"Some letters of the line are not written in {name}, as the others are: save the table as “CSV UTF-8”."
        )
    return RowError(line + index, None, code, detail)
