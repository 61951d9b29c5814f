"""What Excel makes of texts in a CSV: a date of `1-2`, and `8.90123E+12` of a long number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imgproc.pipeline.table.cells import is_shortened
from imgproc.pipeline.table.columns import Columns
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.samples import texts

MAX_DATE_CHARS = 16
_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|mrz|m[äa]r|mai|okt|dez|janv|f[ée]vr|mars|avr|juin|juil|ao[ûu]t"
    r"|d[ée]c|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|fev|out|mrt|mei|sty|lut|kwi|maj|cze|lip|sie|wrz|pa[źz]|lis|gru)\.?"
)
# As a spreadsheet shows them: 01-Feb, 1. Feb, Feb-24, 01-Feb-2024.
_MADE_DATE = re.compile(
    rf"(?:[0-3]?[0-9](?:-|\. ?){_MONTH}(?:[- ](?:[0-9]{{2}}){{1,2}})?|{_MONTH}[- ][0-9]{{2}})", re.I
)


def is_made_date(text: str) -> bool:
    """Whether a text is such a date."""
    return len(text) < MAX_DATE_CHARS and ("-" in text or " " in text) and _MADE_DATE.fullmatch(text) is not None


def note_made_dates(serial: str, name: str, *, line: int, notes: Notes) -> None:
    """Note a serial number or name that a spreadsheet has perhaps made a date of."""
    for what, text in (("serial number", serial), ("product name", name)):
        if is_made_date(text):
            detail = (
                f"The {what} is {text!r}: if Excel made a date of a text such as 1-2, format the column as text, and "
                "enter it again."
            )
            notes.add("date_read", detail, line=line)


def note_shortened(
    header: Sequence[str], rows: Sequence[Sequence[str]], columns: Columns, *, line: int, notes: Notes
) -> None:
    """Note a column beside ours in which long numbers, such as barcodes, are shortened; the output has them so, too."""
    ours = {columns.serial, columns.name, *columns.images}
    for index, heading in enumerate(header):
        if index not in ours and (short := next(filter(is_shortened, texts(rows, index)), None)):
            detail = (
                f"In the column {heading!r} Excel has shortened long numbers ({short}), and the output has them so: "
                "format the column as text, and enter or import the numbers again."
            )
            notes.add("numbers_shortened", detail, line=line)
