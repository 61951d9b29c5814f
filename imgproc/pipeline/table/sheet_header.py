"""A sheet of a workbook -> its header, as `dialect` finds that of a text, and the records after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from imgproc.core.errors import RowError
from imgproc.pipeline.table.columns import COLUMNS, Columns, too_many_columns
from imgproc.pipeline.table.dialect import MAX_HEADER_LINES, SAMPLE_ROWS, last_of_several, note_lines_above
from imgproc.pipeline.table.header_faults import Dialect, unnamed_columns
from imgproc.pipeline.table.headings import Choice, are_too_many, cleaned, roles
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.records import Record
from imgproc.pipeline.table.text import invalid_csv
from imgproc.pipeline.table.workbooks import Sheet

NO_DELIMITER = "\x1f"  # between cells of a row that are shown together; no cell of a workbook has it


def find_header(sheet: Sheet, *, notes: Notes, choice: Choice | None) -> Dialect:
    """Find the header within the first 20 rows that have text.

    Headings that are merged over several columns of pictures count for each of them.

    Raises:
        InvalidCsv: the sheet is blank, or no row names our columns.
    """
    sample = [
        (number, _with_urls(cells, details))
        for number, cells, details in islice(sheet.records(), MAX_HEADER_LINES + SAMPLE_ROWS)
    ]
    if not sample:
        detail = f"The sheet {sheet.name!r} is empty: begin it with a header, then product rows, or name another sheet."
        raise invalid_csv(1, None, "empty_file", detail)
    tried = []
    for place, (number, cells) in enumerate(sample[:MAX_HEADER_LINES]):
        rows = tuple(row for _, row in sample[place + 1 :])
        header = (*cleaned(cells), *[""] * sheet.width)[: sheet.width]
        tried.append(Dialect(NO_DELIMITER, number, header, rows))
    complete = [each for each in tried if len(roles(each.header, choice)) == len(COLUMNS)]
    if not complete:
        raise unnamed_columns(max(tried, key=lambda each: (len(roles(each.header, choice)), -each.line)), choice)
    best = last_of_several(complete[0], complete)
    if are_too_many(best.header):
        raise too_many_columns(sheet.width, line=best.line)
    note_lines_above(best, [number - 1 for number, _ in sample], notes)
    return best


def note_columns(sheet: Sheet, header: Sequence[str], columns: Columns, *, line: int, notes: Notes) -> None:
    """Note which of our columns are hidden, and which hold dates: a spreadsheet makes dates of texts such as 1-2."""
    hidden = [header[i] for i in (columns.serial, columns.name, *columns.images) if sheet.hides(i)]
    if hidden:
        which = f"column {hidden[0]!r} is" if len(hidden) == 1 else f"columns {', '.join(map(repr, hidden))} are"
        notes.add("hidden_column_read", f"The {which} hidden in the sheet, and read.", line=line)
    for index in (columns.serial, columns.name):
        if (row := sheet.dates.get(index)) is not None and row > line:
            detail = (
                f"{header[index]!r} has a date, which is read in the form 2024-12-31: if a text such as 1-2 was meant, "
                "format the column as text, and enter it again."
            )
            notes.add("date_read", detail, line=row)


def read_sheet_records(
    sheet: Sheet, dialect: Dialect, header: Sequence[str], columns: Columns, notes: Notes
) -> Iterator[Record]:
    """The rows after the header: the number of each, its cells, and why one of ours has no value."""
    ours = (columns.serial, columns.name, *columns.images)
    for number, cells, details in sheet.records(dialect.line + 1):
        fault = None
        for index, kind, text in details:
            if kind == "error" and index in ours:
                detail = f"The cell shows {text}, the error of a formula: mend it, or write the value itself."
                fault = fault or RowError(number, header[index], "formula_error", detail)
            elif kind == "blank_formula" and index in ours and not cells[index]:
                detail = f"{text[:60]} has no result yet: open the workbook in a spreadsheet, save it, and upload that."
                fault = fault or RowError(number, header[index], "formula_error", detail)
            elif kind in ("formula", "link") and index in columns.images and "://" not in cells[index]:
                if kind == "link":
                    notes.add("link_read", "Where a cell shows a text with a link, the link is read.", line=number)
                cells[index] = text
        yield number, cells, fault


def _with_urls(cells: list[str], details: list[tuple[int, str, str]]) -> list[str]:
    """The cells of a row of the sample; where a click or a formula leads to a URL, the URL."""
    for index, kind, text in details:
        if kind in ("formula", "link") and "://" not in cells[index] and "://" in text:
            cells[index] = text
    return cells
