"""Why a text has no header that can be read: the line most like one, and what to change in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imgproc.core.errors import InvalidCsv
from imgproc.pipeline.table.columns import COLUMNS, OUR_NAMES, missing_columns, too_many_columns, unknown_headings
from imgproc.pipeline.table.headings import MAX_COLUMNS, Choice, roles
from imgproc.pipeline.table.no_header import is_url
from imgproc.pipeline.table.quotes import Quotes
from imgproc.pipeline.table.records import CLOSE_IT
from imgproc.pipeline.table.text import invalid_csv, shown

TAB = "\t"
DELIMITERS = f",;{TAB}|"
NAMES_OF_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# What some files have instead, as patterns.
_OTHER_DELIMITERS = {
    r"\^": "“^”",
    "~": "“~”",
    ":": "colons",
    "¦": "“¦”",
    "[\uff0c\u3001]": "full-width commas",
    "\uff1b": "full-width semicolons",
    "/": "slashes",
    r"[\x01\x1c-\x1f]": "invisible characters",
    r"\s{2,}": "spaces",
}


@dataclass(frozen=True)
class Dialect:
    """How the cells of a text are separated, the line its header starts on, the header, and the first rows after it."""

    delimiter: str
    line: int
    header: tuple[str, ...]
    rows: tuple[Sequence[str], ...]
    height: int = 1  # lines of the header
    quotes: Quotes | None = None  # if they are not the usual ones

    @property
    def agreeing(self) -> int:
        """How many of the first rows have as many cells as the header."""
        return sum(len(row) == len(self.header) for row in self.rows)


def refuse_other_rows(dialect: Dialect) -> None:
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


def no_header(tried: list[Dialect], lines: list[str], first: int, choice: Choice | None) -> InvalidCsv:
    """The refusal of a file without a header. It shows the line that is most like one."""
    if not tried:
        detail = (
            f"Line {first + 1} begins a cell that goes on over many lines: close its quote, or begin with a header."
        )
        return invalid_csv(first + 1, None, "missing_header", detail)
    best = max(tried, key=lambda each: (len(roles(each.header, choice)), -each.line, len(each.header)))
    if len(best.header) > MAX_COLUMNS:
        return too_many_columns(len(best.header), line=best.line)
    if fault := _fault_of_quotes(best, lines) or _fault_of_delimiter(best, choice):
        return invalid_csv(best.line, None, *fault)
    return unnamed_columns(best, choice)


def unnamed_columns(best: Dialect, choice: Choice | None) -> InvalidCsv:
    """The refusal of a line that does not name all of our columns, and is most like a header."""
    found = roles(best.header, choice)
    if choice and not choice.keys() <= found:
        return unknown_headings(best.header, choice, line=best.line)
    if found:
        missing = [column for column in COLUMNS if column not in found]
        return missing_columns(best.header, missing, best.rows, line=best.line)
    wanted = (best.delimiter if best.delimiter in ",;|" else ", ").join(OUR_NAMES.values())
    example = f"{wanted}{' (with tabs between them)' if best.delimiter == TAB else ''}"
    detail = (
        f"Line {best.line} is {shown(best.header)!r}, which names none of our columns: begin the file with a header "
        f"line, such as {example}, or rename the columns so."
    )
    to_choose_from = () if any(map(is_url, best.header)) else best.header
    return invalid_csv(best.line, None, "missing_header", detail, header=to_choose_from)


def _fault_of_quotes(best: Dialect, lines: list[str]) -> tuple[str, str] | None:
    if any("\n" in name for name in best.header) and "".join(lines).count('"') % 2:
        return (
            "unterminated_quote",
            f"The quote opened on line {best.line} is never closed: {CLOSE_IT}",
        )
    if len(best.header) == 1 and _is_quoted_whole(lines[best.line - 1]):
        return (
            "quoted_lines",
            f"Line {best.line} is one quoted cell that holds the others: save the file again without quotes around "
            "whole lines.",
        )
    return None


def _fault_of_delimiter(best: Dialect, choice: Choice | None) -> tuple[str, str] | None:
    """The fault of a line that would be a header if the text between its cells were a delimiter."""
    for pattern, what in _OTHER_DELIMITERS.items():
        if len(best.header) == 1 and len(roles(re.split(pattern, best.header[0]), choice)) == len(COLUMNS):
            return (
                "unknown_delimiter",
                f"Line {best.line} has {what} between its cells: open the file in a spreadsheet, choose that as the "
                "separator, and save it as “CSV UTF-8”, which has commas.",
            )
    return None


def _is_quoted_whole(line: str) -> bool:
    text = line.strip()
    return text[:1] == text[-1:] == '"' and '","' not in text and any(each in text for each in DELIMITERS)
