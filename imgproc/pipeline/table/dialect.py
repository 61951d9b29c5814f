"""The beginning of a text -> where its header is and which delimiter its cells have, agreed by header and rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.columns import (
    COLUMNS,
    MAX_COLUMNS,
    Choice,
    missing_columns,
    roles,
    too_many_columns,
    unknown_headings,
)
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.text import UNDECODABLE, invalid_csv

DELIMITERS = ",;\t|"
NAMES_OF_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MAX_HEADER_LINES = 20  # lines with text that may come before the header, and the header
MAX_BLANK_LINES = 1000
HEAD_CHARS = 256 * 1024  # that decide on delimiter, header and columns
SAMPLE_LINES = 200  # after the first that is not blank
SAMPLE_ROWS = 60
_EXCEL_HINT = re.compile(r"sep=(.)\s*", re.I)


@dataclass(frozen=True)
class Dialect:
    """How the cells of a text are separated, the line its header starts on, the header, and the first rows after it."""

    delimiter: str
    line: int
    header: tuple[str, ...]
    rows: tuple[Sequence[str], ...]

    @property
    def agreeing(self) -> int:
        """How many of the first rows have as many cells as the header."""
        return sum(len(row) == len(self.header) for row in self.rows)


def is_blank(cells: Sequence[str]) -> bool:
    """Whether a record is empty: a spreadsheet writes delimiters alone for an empty line, DOS a Ctrl-Z at the end."""
    return not "".join(cells).strip("\x1a \t\r\n\f\v\xa0\u3000\ufeff")


def find_dialect(head: str, *, notes: Notes, choice: Choice | None = None) -> Dialect:
    """Find the header within the first 20 lines that have text, with the delimiter that suits it and the rows.

    Raises:
        InvalidCsv: no line names our columns, or the rows have another delimiter than the header.
    """
    lines = _first_lines(head)
    filled = [number for number, line in enumerate(lines) if not _is_blank_line(line)]
    if not filled:
        detail = f"The first {MAX_BLANK_LINES:,} lines are blank: begin the file with a header, then product rows."
        raise invalid_csv(1, None, "empty_file", detail)
    hint = _EXCEL_HINT.fullmatch(lines[filled[0]])
    delimiters = hint[1] if hint else DELIMITERS
    places = [(number, each) for number in filled[:MAX_HEADER_LINES] for each in delimiters]
    tried = [found for number, each in places if (found := _try(lines, number, each, choice))]
    complete = [each for each in tried if len(roles(each.header, choice)) == len(COLUMNS)]
    if not complete:
        raise _no_header(tried, lines, filled[0], choice)
    best = max(complete, key=lambda each: (-each.line, len(each.header), each.agreeing))
    best = _last_of_several(best, complete)
    _check_rows(best)
    _note_lines_above(best, filled, notes)
    return best


def _first_lines(head: str) -> list[str]:
    """The first whole lines: the blank ones at the start, the header, and enough rows.

    Raises:
        InvalidCsv: the first line does not end within the sample.
    """
    text = io.StringIO(head.replace("\0", " ").replace(UNDECODABLE, "\ufffd"), newline="")
    lines: list[str] = []
    after_blank = 0
    for line in islice(text, MAX_BLANK_LINES + SAMPLE_LINES):
        after_blank += bool(after_blank) or not _is_blank_line(line)
        lines.append(line)
        if after_blank == SAMPLE_LINES:
            break
    is_cut = len(head) >= HEAD_CHARS and text.tell() == len(head) and not lines[-1].endswith(("\n", "\r"))
    if is_cut and len(lines) == 1:
        raise _line_too_long(lines[0])
    return lines[:-1] if is_cut else lines


def _is_blank_line(line: str) -> bool:
    return is_blank([line.strip(DELIMITERS)])


def _line_too_long(line: str) -> InvalidCsv:
    if max(map(line.count, DELIMITERS)) > MAX_COLUMNS:
        return too_many_columns(max(map(line.count, DELIMITERS)), line=1)
    detail = f"The first line has more than {HEAD_CHARS:,} characters: begin the file with a header line."
    return invalid_csv(1, None, "row_too_long", detail)


def _try(lines: list[str], number: int, delimiter: str, choice: Choice | None) -> Dialect | None:
    """The dialect if the header is on line `number`, counted from 0; without rows if that line is no header."""
    reader = csv.reader(iter(lines[number:]), delimiter=delimiter, skipinitialspace=True)
    with suppress(csv.Error):
        names = [cell.strip("\ufeff\u200b \t\r\n\xa0") for cell in next(reader, [])]
        while names and not names[-1]:  # A spreadsheet pads the header to the width of its widest row.
            names.pop()
        rows: list[list[str]] = []
        if len(roles(names, choice)) == len(COLUMNS):
            with suppress(csv.Error):
                rows.extend(islice((cells for cells in reader if not is_blank(cells)), SAMPLE_ROWS))
        return Dialect(delimiter, number + 1, tuple(names), tuple(rows)) if names else None
    return None


def _last_of_several(first: Dialect, complete: list[Dialect]) -> Dialect:
    """The last of several header lines in sequence: some templates repeat the names for people and for machines."""
    by_line = {each.line: each for each in complete if each.delimiter == first.delimiter}
    line = first.line
    while line + 1 in by_line and len(by_line[line + 1].header) >= len(first.header) / 2:
        line += 1
    return by_line[line]


def _check_rows(dialect: Dialect) -> None:
    """Refuse a file whose rows all have another delimiter than its header.

    Raises:
        InvalidCsv: naming both.
    """
    if not dialect.rows or any(len(row) > 1 for row in dialect.rows):
        return
    for other in DELIMITERS:
        if other != dialect.delimiter and all(other in row[0] for row in dialect.rows if row):
            header = NAMES_OF_DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
            detail = (
                f"The header has {header} between its cells, the rows have {NAMES_OF_DELIMITERS[other]} ({other!r}): "
                f"write the header with {other!r}, too."
            )
            raise invalid_csv(dialect.line, None, "mixed_delimiters", detail)


def _note_lines_above(dialect: Dialect, filled: list[int], notes: Notes) -> None:
    above = [number + 1 for number in filled if number + 1 < dialect.line]
    if above:
        which = f"Line {above[0]} is" if len(above) == 1 else f"Lines {above[0]} to {above[-1]} are"
        notes.add("lines_above_header", f"{which} above the header and not read.", line=above[0])


def _no_header(tried: list[Dialect], lines: list[str], first: int, choice: Choice | None) -> InvalidCsv:
    """The refusal of a file without a header. It shows the line that is most like one."""
    if not tried:
        detail = (
            f"Line {first + 1} begins a cell that goes on over many lines: close its quote, or begin with a header."
        )
        return invalid_csv(first + 1, None, "missing_header", detail)
    best = max(tried, key=lambda each: (len(roles(each.header, choice)), -each.line, len(each.header)))
    if any("\n" in name for name in best.header) and "".join(lines).count('"') % 2:
        detail = (
            f"The quote opened on line {best.line} is never closed: close it, or double it if it is part of the text."
        )
        return invalid_csv(best.line, None, "unterminated_quote", detail)
    found = roles(best.header, choice)
    if len(best.header) == 1 and _is_quoted_whole(lines[best.line - 1]):
        detail = (
            f"Line {best.line} is one quoted cell that holds the others: save the file again without quotes around "
            "whole lines."
        )
        return invalid_csv(best.line, None, "quoted_lines", detail)
    if choice and not choice.keys() <= found:
        return unknown_headings(best.header, choice, line=best.line)
    if found:
        return missing_columns(best.header, [column for column in COLUMNS if column not in found], line=best.line)
    shown = ", ".join(best.header)[:300]
    detail = (
        f"Line {best.line} is {shown!r}, which names none of our columns: begin the file with a header line, such as "
        "S. No.,Product Name,Input Image Urls, or rename the columns so."
    )
    return invalid_csv(best.line, None, "missing_header", detail)


def _is_quoted_whole(line: str) -> bool:
    text = line.strip()
    return text[:1] == text[-1:] == '"' and '","' not in text and any(each in text for each in DELIMITERS)
