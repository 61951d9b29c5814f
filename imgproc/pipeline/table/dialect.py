"""The beginning of a text -> where its header is and which delimiter its cells have, agreed by header and rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.columns import COLUMNS, too_many_columns
from imgproc.pipeline.table.header_faults import DELIMITERS, Dialect, no_header, refuse_other_rows
from imgproc.pipeline.table.headings import MAX_COLUMNS, Choice, cleaned, roles
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.quotes import QUOTES
from imgproc.pipeline.table.text import UNDECODABLE, invalid_csv

UNUSUAL_DELIMITERS = "^~\xa6\x01\x1f"
MAX_HEADER_LINES = 20  # lines with text that may come before the header, and the header
MAX_BLANK_LINES = 1000
HEAD_CHARS = 256 * 1024  # that decide on delimiter, header and columns
SAMPLE_LINES = 200  # after the first that is not blank
SAMPLE_ROWS = 60
_EXCEL_HINT = re.compile(r"sep=(.)\s*", re.I)


def is_blank(cells: Sequence[str]) -> bool:
    """Whether a record is empty: a spreadsheet writes an empty line as delimiters, and DOS ends a file by Ctrl-Z."""
    return not "".join(cells).strip("\x1a \t\r\n\f\v\xa0\u3000\ufeff")


def find_dialect(head: str, *, notes: Notes, choice: Choice | None = None) -> Dialect:
    """Find the header within the first 20 lines that have text, with the delimiter that suits it and the rows.

    Raises:
        InvalidCsv: no line names our columns, or the rows have another delimiter than the header.
    """
    lines = _first_lines(head)
    filled = [number for number, line in enumerate(lines) if not _is_blank_line(line)]
    if not filled:
        detail = "The file begins with blank lines only: begin it with a header, then product rows."
        raise invalid_csv(1, None, "empty_file", detail)
    hint = _EXCEL_HINT.fullmatch(lines[filled[0]])
    delimiters = f"{hint[1]}{DELIMITERS}" if hint and hint[1] not in DELIMITERS else DELIMITERS
    places = [(number, each) for number in filled[:MAX_HEADER_LINES] for each in delimiters]
    tried = [found for number, each in places if (found := _try(lines, number, each, choice))]
    complete = [each for each in tried if len(roles(each.header, choice)) == len(COLUMNS)]
    if not complete:
        complete = _with_unusual_delimiters(lines, filled, choice, notes)
    if not complete:
        raise no_header(tried, lines, filled[0], choice)
    best = max(complete, key=lambda each: (-each.line, len(each.header), each.agreeing))
    best = _requoted(last_of_several(best, complete), lines, choice, notes)
    refuse_other_rows(best)
    note_lines_above(best, filled, notes)
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
        names = cleaned(next(reader, []))
        height = reader.line_num
        rows: list[list[str]] = []
        if len(roles(names, choice)) >= len(COLUMNS) - 1:
            with suppress(csv.Error):
                rows.extend(islice((cells for cells in reader if not is_blank(cells)), SAMPLE_ROWS))
        names = _without_padding(names, rows)
        return Dialect(delimiter, number + 1, tuple(names), tuple(rows), height) if names else None
    return None


def _without_padding(names: list[str], rows: list[list[str]]) -> list[str]:
    """The header without the blank cells at its end, by which spreadsheets make all rows as wide as the widest.

    A column without a name stays if most rows have something in it.
    """
    width = len(names)
    while width and not names[width - 1]:
        if rows and 2 * sum(len(row) >= width and bool(row[width - 1].strip()) for row in rows) > len(rows):
            break
        width -= 1
    return names[:width]


def _with_unusual_delimiters(lines: list[str], filled: list[int], choice: Choice | None, notes: Notes) -> list[Dialect]:
    """The dialects with delimiters that only some programs write; their rows must agree with the header."""
    places = [(number, each) for number in filled[:MAX_HEADER_LINES] for each in UNUSUAL_DELIMITERS]
    tried = [found for number, each in places if each in lines[number] and (found := _try(lines, number, each, choice))]
    complete = [each for each in tried if len(roles(each.header, choice)) == len(COLUMNS) and each.rows]
    agreeing = [each for each in complete if each.agreeing == len(each.rows)]
    for each in agreeing[:1]:
        notes.add("unusual_delimiter", f"The character {each.delimiter!r} is between the cells.", line=each.line)
    return agreeing


def _requoted(best: Dialect, lines: list[str], choice: Choice | None, notes: Notes) -> Dialect:
    """The dialect with the quotes that the rows have, if they are not the usual ones."""
    is_sound = best.agreeing == len(best.rows) and _is_strict(lines[best.line - 1 :], best)
    for quotes in QUOTES:
        if not (is_sound and quotes.repairing) and quotes.may_suit("".join(lines[best.line - 1 :]), best.rows):
            mended = [quotes.mended(line) for line in lines]
            again = _try(mended, best.line - 1, best.delimiter, choice)
            if again and again.agreeing == len(again.rows) > 0 and _is_strict(mended[again.line - 1 :], again):
                notes.add(quotes.code, quotes.detail, line=best.line)
                header, rows = quotes.restored(again.header), map(quotes.restored, again.rows)
                return replace(again, header=tuple(header), rows=tuple(rows), quotes=quotes)
    return best


def _is_strict(lines: list[str], dialect: Dialect) -> bool:
    """Whether the quotes of the first rows are right by RFC 4180."""
    reader = csv.reader(iter(lines), delimiter=dialect.delimiter, skipinitialspace=True, strict=True)
    with suppress(csv.Error):
        return sum(1 for _ in islice(reader, len(dialect.rows) + 1)) > len(dialect.rows)
    return False


def last_of_several(first: Dialect, complete: list[Dialect]) -> Dialect:
    """The last of several header lines in sequence: some templates repeat the names for people and for machines."""
    by_line = {each.line: each for each in complete if each.delimiter == first.delimiter}
    last = first
    while (following := by_line.get(last.line + last.height)) and 2 * len(following.header) >= len(first.header):
        last = following
    return last


def note_lines_above(dialect: Dialect, filled: list[int], notes: Notes) -> None:
    """Note which lines above the header are not read; `filled` are the lines that have text, counted from 0."""
    above = [number + 1 for number in filled if number + 1 < dialect.line]
    if above:
        which = f"Line {above[0]} is" if len(above) == 1 else f"Lines {above[0]} to {above[-1]} are"
        notes.add("lines_above_header", f"{which} above the header and not read.", line=above[0])
