"""The program that `workbooks` runs: reads one sheet of a workbook, and writes its rows as JSON, a line each.

It is a process of its own, because a workbook is loaded into memory as a whole: the kernel bounds its memory and time,
and a crash ends no web process. Its argument is a `Task` as JSON; on standard output it prints an `Answer` as JSON.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from imgproc.core.process import confine
from imgproc.pipeline.table.columns import COLUMNS
from imgproc.pipeline.table.headings import Choice, roles
from imgproc.pipeline.table.workbook_errors import find_errors
from imgproc.pipeline.table.xlsx_details import Detail, XlsxDetails

MAX_HEADER_ROWS = 20
MAX_ROW_CHARS = 1024 * 1024
EXACT = 10**15  # Excel keeps 15 digits of a number
Cell = Any  # what python-calamine gives: a text, number, bool, date, time or duration


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Read the sheet; the answer holds what was found, or a `refusal`."""
    try:
        with (
            CalamineWorkbook.from_path(task["workbook"]) as workbook,
            Path(task["rows"]).open("w", encoding="ascii") as rows,
        ):
            return _read(workbook, rows, task)
    except PasswordError:
        return {"refusal": "password"}
    except CalamineError as error:
        return {"refusal": "password" if "assword" in str(error) else "damaged"}
    except OSError as error:
        return {"refusal": "disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "damaged"}


def _read(workbook: CalamineWorkbook, rows: TextIO, task: dict[str, Any]) -> dict[str, Any]:
    sheets = [each for each in workbook.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
    answer: dict[str, Any] = {"sheets": [each.name for each in sheets]}
    wanted = task["sheet"]
    if wanted is not None:
        sheets = [each for each in sheets if each.name.strip().casefold() == wanted.strip().casefold()]
    if not sheets:
        return answer | {"refusal": "no_sheet"}
    chosen, sheet = _choose(workbook, sheets, task["columns"])
    answer["sheet"], answer["hidden"] = chosen.name, chosen.visible != SheetVisibleEnum.Visible
    if not task["workbook"].endswith(".xlsx"):
        names = [each.name for each in workbook.sheets_metadata]
        details = iter(find_errors(task["workbook"], chosen.name, names.index(chosen.name)))
        return answer | _write(sheet, details, rows, max_chars=task["max_chars"])
    more = XlsxDetails(task["workbook"])
    answer |= _write(sheet, more.of(chosen.name), rows, max_chars=task["max_chars"], hides=more.hides)
    first = sheet.start[1] if sheet.start else 0
    hidden = [(start - first, end - first) for start, end in more.hidden_columns]
    return answer | {"hidden_columns": hidden}


def _choose(
    workbook: CalamineWorkbook, sheets: list[SheetMetadata], choice: Choice | None
) -> tuple[SheetMetadata, CalamineSheet]:
    """The first sheet with our columns, visible ones before hidden ones; else the one that has most of them."""
    best: tuple[int, SheetMetadata, CalamineSheet] | None = None
    for each in sorted(sheets, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible):
        sheet = workbook.get_sheet_by_name(each.name)
        found = max((len(roles(row, choice)) for row in _first_rows(sheet)), default=-1)
        if best is None or found > best[0]:
            best = found, each, sheet
        if found == len(COLUMNS):
            break
    assert best is not None, "there is a sheet"  # noqa: S101 - for the type checker
    return best[1], best[2]


def _first_rows(sheet: CalamineSheet) -> Iterator[list[str]]:
    rows = ([text(cell) for cell in row] for row in sheet.iter_rows())
    return islice((row for row in rows if any(row)), MAX_HEADER_ROWS)


def _write(
    sheet: CalamineSheet,
    details: Iterator[Detail],
    rows: TextIO,
    *,
    max_chars: int,
    hides: Callable[[int], bool] = lambda _: False,
) -> dict[str, Any]:
    """Write each row that is not blank: its number, its texts, and the details of its cells."""
    merge = _Details(details, sheet.start[1] if sheet.start else 0)
    found = _Found()
    size = 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [cell if type(cell) is str else text(cell) for cell in row]
        found.look(number, row)
        more = merge.into(number, cells)
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells and not more:
            continue
        if hides(number):
            found.hidden.append(number)
        found.width = max(found.width, len(cells), *(index + 1 for index, *_ in more))
        line = json.dumps([number, cells, more] if more else [number, cells])
        size += len(line)
        if len(line) > MAX_ROW_CHARS:
            return {"refusal": "row_too_long", "line": number}
        if size > max_chars:
            return {"refusal": "too_large"}
        rows.write(line + "\n")
    return found.answer()


@dataclass
class _Found:
    """What the answer says of the sheet as a whole."""

    width: int = 0
    shortened: int = 0  # the first row with a number of more digits than Excel keeps
    dates: dict[int, int] = field(default_factory=dict)  # the first row with a date, by column
    hidden: list[int] = field(default_factory=list)  # rows

    def look(self, number: int, row: Sequence[Cell]) -> None:
        """Look at the kinds of cells of a row."""
        for index, cell in enumerate(row):
            if type(cell) is str:
                continue
            if not self.shortened and type(cell) is float and abs(cell) >= EXACT:
                self.shortened = number
            if isinstance(cell, datetime.date):
                self.dates.setdefault(index, number)

    def answer(self) -> dict[str, Any]:
        """The part of the answer."""
        hidden = {"hidden_rows": len(self.hidden), "first_hidden": self.hidden[:1]}
        return {"width": self.width, "shortened": self.shortened, "dates": self.dates, **hidden}


class _Details:
    """The details of a sheet, which come in the order of its rows."""

    def __init__(self, details: Iterator[Detail], first_column: int) -> None:
        self._details, self._first_column = details, first_column
        self._waiting = next(details, None)

    def into(self, number: int, cells: list[str]) -> list[tuple[int, str, str]]:
        """Put the texts that a row shows into its cells. Returns the details that say more than a text."""
        found: list[tuple[int, str, str]] = []
        while (each := self._waiting) is not None and each.row <= number:
            index = each.column - self._first_column
            if each.row == number and index >= 0:
                cells += [""] * (index + 1 - len(cells))
                if each.kind in ("text", "error"):
                    cells[index] = each.text
                if each.kind != "text":
                    found.append((index, each.kind, each.text))
            self._waiting = next(self._details, None)
        return found


def text(cell: Cell) -> str:
    """A cell as the sheet shows it, as far as the file tells: whole numbers without `.0`, dates as ISO 8601."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, (int, float)):
        return _number(cell)
    if isinstance(cell, datetime.datetime):
        return cell.isoformat() if cell.time() != datetime.time() else cell.date().isoformat()
    if isinstance(cell, datetime.timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(cell.isoformat())


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 10**21:
        return str(int(value))
    return repr(float(f"{value:.15g}")).upper()  # as many digits as Excel shows


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    confine(memory=given["memory"], seconds=given["seconds"], wait=given["wait"])
    result: dict[str, Any] = {"refusal": "too_large"}
    with contextlib.suppress(MemoryError):
        result = main(given)
    sys.stdout.write(json.dumps(result))
