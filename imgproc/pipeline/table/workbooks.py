"""A workbook (.xlsx, .xlsm, .xlsb, .xls, .ods) -> the rows of one of its sheets, as texts.

python-calamine reads it in a process of its own (`workbook_program`), because it loads a sheet as a whole: memory and
time are bounded there, and the rows come back in a temporary file. The sizes that an archive states are checked before.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import weakref
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from imgproc.core.errors import InfrastructureError, UnsupportedFile
from imgproc.pipeline.programs import End, end_of, started
from imgproc.pipeline.table.archives import list_names, peek, workbook_suffix
from imgproc.pipeline.table.headings import Choice
from imgproc.pipeline.table.kinds import SAVE_AS_CSV, is_ole, is_zip
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.text import invalid_csv

MAX_UNPACKED_BYTES = 1024 * 1024 * 1024  # of the XML in a workbook: a million rows of five columns take 0.2 GB
MAX_TEXT_CHARS = 512 * 1024 * 1024  # of the rows as JSON
MEMORY_BYTES = 1024 * 1024 * 1024  # of the program: a million rows of five columns take 0.3 GB
CPU_SECONDS = 60  # of the program: a million rows of five columns take 10
WAIT_SECONDS = 600
_PROGRAM = "imgproc.pipeline.table.workbook_program"
_TOO_LARGE = (
    "The workbook takes more memory or time to read than a file may: remove cells that stand far from the table, or "
    "save the sheet as “CSV UTF-8”, and upload that."
)
_DAMAGED = f"The workbook is damaged, or of a kind that we cannot read: {SAVE_AS_CSV}."
_ENCRYPTED = (
    "The workbook is protected by a password: remove it (in Excel: File > Info > Protect Workbook), save, and upload "
    "it again."
)
_OLE_KINDS = (
    ("WordDocument", "a Word document: copy its table into a spreadsheet, save that as “CSV UTF-8”, and upload it."),
    ("PowerPoint Document", "a PowerPoint presentation: upload the table of your products as “CSV UTF-8”."),
    ("__substg1.0_", "an Outlook message: save the file that is attached to it, and upload that."),
)


def kind_of(stream: BinaryIO) -> str | None:
    """The kind of the workbook, as its usual suffix without the dot; None for a file that is none.

    Raises:
        UnsupportedFile: it is a document of another program, or encrypted.
    """
    head = peek(stream)
    if is_zip(head):
        return (workbook_suffix(list_names(stream)) or "").lstrip(".") or None
    if not is_ole(head):
        return None
    found = _streams_in(stream)
    if "EncryptedPackage" in found:
        raise UnsupportedFile(_ENCRYPTED)
    if not {"Workbook", "Book"} & found:
        for name, what in _OLE_KINDS:
            if name in found:
                raise UnsupportedFile(f"The file is {what}")
        raise UnsupportedFile(_DAMAGED)
    return "xls"


def _streams_in(stream: BinaryIO) -> set[str]:
    """Which of the streams we know a compound file names in its directory."""
    known = {name: name.encode("utf-16-le") for name in ("EncryptedPackage", "Workbook", "Book", *dict(_OLE_KINDS))}
    found: set[str] = set()
    tail = b""
    stream.seek(0)
    while block := stream.read(1024 * 1024):
        found |= {name for name, pattern in known.items() if pattern in tail + block}
        tail = block[-64:]
    stream.seek(0)
    return found


class Rows:
    """A temporary file that was unlinked, and goes away with this: whoever reads it may stop at any row."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        weakref.finalize(self, file.close)  # it keeps the file until then, also in a cycle of references

    def lines(self) -> Iterator[bytes]:
        """All lines, from the first."""
        self._file.seek(0)
        return iter(self._file.readline, b"")


@dataclass(frozen=True)
class Sheet:
    """The rows of one sheet, each a line of JSON in a file. `width` counts the columns up to the last with text."""

    name: str
    width: int
    rows: Rows
    dates: Mapping[int, int] = field(default_factory=dict)  # the first row with a date, by column
    hidden_columns: Sequence[Sequence[int]] = ()  # the first and last of each range

    def hides(self, index: int) -> bool:
        """Whether a column is hidden."""
        return any(first <= index <= last for first, last in self.hidden_columns)

    def records(self, first: int = 1) -> Iterator[tuple[int, list[str], list[tuple[int, str, str]]]]:
        """The number of each row from row `first` that is not blank, its cells, and the details of its cells."""
        for line in self.rows.lines():
            number, cells, *details = json.loads(line)
            if number >= first:
                yield number, cells + [""] * (self.width - len(cells)), details[0] if details else []


def open_sheet(stream: BinaryIO, kind: str, *, wanted: str | None, choice: Choice | None, notes: Notes) -> Sheet:
    """Read the sheet named `wanted`, or the first with our columns.

    Raises:
        InvalidCsv: the workbook has no such sheet, or a row is too long.
        UnsupportedFile: it is encrypted, damaged, or takes too much memory or time.
        InfrastructureError: the program was killed from outside.
    """
    if kind != "xls":
        _check_sizes(stream)
    with tempfile.TemporaryDirectory() as folder:
        workbook, rows = Path(folder, f"workbook.{kind}"), Path(folder, "rows")
        stream.seek(0)
        with workbook.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
        columns = {name: list(given) for name, given in choice.items()} if choice else None
        limits = {"max_chars": MAX_TEXT_CHARS, "memory": MEMORY_BYTES, "seconds": CPU_SECONDS, "wait": WAIT_SECONDS}
        answer = _run({"workbook": str(workbook), "rows": str(rows), "sheet": wanted, "columns": columns} | limits)
        _check(answer, wanted)
        dates = {int(index): row for index, row in answer["dates"].items()}
        hidden = answer.get("hidden_columns", ())
        sheet = Sheet(answer["sheet"], answer["width"], Rows(rows.open("rb")), dates, hidden)
    _note(answer, wanted, notes)
    return sheet


def _check_sizes(stream: BinaryIO) -> None:
    """Refuse a workbook whose archive says that it is too large; what it does not say, the program finds out."""
    list_names(stream)
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
    size = sum(each.file_size for each in members if "/media/" not in each.filename)
    if size > MAX_UNPACKED_BYTES:
        raise UnsupportedFile(_TOO_LARGE)
    if any(each.flag_bits & 1 for each in members):
        raise UnsupportedFile(_ENCRYPTED)


def _run(task: dict[str, Any]) -> dict[str, Any]:
    with started(_PROGRAM, task) as child:
        try:
            output, _ = child.communicate(timeout=WAIT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError("Reading the workbook took too long; try again later.") from error
    end = end_of(child)
    if end is End.KILLED:
        raise InfrastructureError("The program that reads workbooks was killed; try again later.")
    if end is not End.WELL:
        return {"refusal": "too_large" if end is End.LIMIT else "damaged"}
    answer: dict[str, Any] = json.loads(output)
    return answer


def _check(answer: dict[str, Any], wanted: str | None) -> None:
    refusal = answer.get("refusal")
    if refusal == "no_sheet":
        listed = ", ".join(map(repr, answer["sheets"][:50]))
        what = f"has no sheet {wanted!r}" if wanted is not None else "has no sheet with cells"
        detail = f"The workbook {what}; its sheets are: {listed or 'none'}."
        raise invalid_csv(1, None, "missing_sheet", detail)
    if refusal == "row_too_long":
        detail = "The row has more than a million characters: shorten its texts."
        raise invalid_csv(answer["line"], None, "row_too_long", detail)
    if refusal == "disk":
        raise InfrastructureError("The disk for temporary files is full; try again later.")
    if refusal:
        raise UnsupportedFile({"password": _ENCRYPTED, "too_large": _TOO_LARGE}.get(refusal, _DAMAGED))


def _note(answer: dict[str, Any], wanted: str | None, notes: Notes) -> None:
    others = [repr(name) for name in answer["sheets"] if name != answer["sheet"]]
    if others and wanted is None:
        hidden = "hidden " if answer["hidden"] else ""
        listed = ", ".join(others[:20]) + (f" and {len(others) - 20} more" if len(others) > 20 else "")
        notes.add("sheet_chosen", f"The {hidden}sheet {answer['sheet']!r} is read, and not {listed}.")
    if count := answer["hidden_rows"]:
        one = "1 row of the sheet is hidden, perhaps by a filter, and is"
        rows = one if count == 1 else f"{count:,} rows of the sheet are hidden, perhaps by a filter, and are"
        notes.add(
            "hidden_rows_read", f"{rows} read, too: delete what is not to be read.", line=answer["first_hidden"][0]
        )
    if line := answer["shortened"]:
        detail = "Numbers of more than 15 digits are not exact, because Excel keeps 15: enter them as text."
        notes.add("number_shortened", detail, line=line)
