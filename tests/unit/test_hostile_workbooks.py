"""Workbooks made to exhaust the reader: each is refused or read, and this process takes the memory of a few rows."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from itertools import repeat
from pathlib import Path

import pytest

from imgproc.core.errors import InfrastructureError, InvalidCsv, InvalidInput, UnsupportedFile
from imgproc.pipeline import programs
from imgproc.pipeline.table import workbooks
from imgproc.pipeline.table.read import CsvLimits, read_csv, scan_csv
from tests.support.workbook_files import (
    HEADER,
    SHEET_END,
    SHEET_START,
    cell_xml,
    header_xml,
    xlsx_of,
    xlsx_parts,
    zip_of,
)

LIMITS = CsvLimits(max_rows=1_000_000, max_images_per_row=50)
MIB = 1024 * 1024
URL = "http://a.example/1.jpg"
TOO_LARGE = "more memory or time"
ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY file SYSTEM "file:///etc/passwd">]>'
)


def sheet(*pieces: str | Iterable[str]) -> Iterable[str]:
    """The XML of a sheet with our header and these pieces."""
    yield SHEET_START + header_xml()
    for each in pieces:
        yield from [each] if isinstance(each, str) else each
    yield SHEET_END


def strings(*pieces: str | Iterable[str]) -> Iterable[str]:
    """The XML of the texts that all sheets share."""
    yield '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    for each in pieces:
        yield from [each] if isinstance(each, str) else each
    yield "</sst>"


def refusal_of(data: bytes) -> str:
    """What the message says, and for an InvalidCsv the code of its fault. This process stays small meanwhile."""
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput) as refused:
            scan_csv(read_csv(io.BytesIO(data), limits=LIMITS))
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()
    error = refused.value
    return error.errors[0].code if isinstance(error, InvalidCsv) else error.detail


SHARED_ROW = "<row>" + '<c t="s"><v>0</v></c>' * 3 + "</row>"
CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a cell in the last corner": (
        lambda: xlsx_parts(sheet('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')),
        TOO_LARGE,
    ),
    "one long text in a million cells": (
        lambda: xlsx_parts(sheet(repeat(SHARED_ROW * 100, 3500)), strings=strings(f"<si><t>{'x' * 30_000}</t></si>")),
        TOO_LARGE,
    ),
    "a gigabyte of blanks": (lambda: xlsx_parts(sheet(repeat(" " * MIB, 1100))), TOO_LARGE),
    "fifty million texts": (
        lambda: xlsx_parts(sheet(), strings=strings(repeat("<si><t>x</t></si>" * 1000, 50_000))),
        TOO_LARGE,
    ),
    "a text of a gigabyte": (
        lambda: xlsx_parts(sheet(), strings=strings("<si><t>", repeat("x" * MIB, 900), "</t></si>")),
        TOO_LARGE,
    ),
    "ten million open elements": (lambda: xlsx_parts(sheet(repeat("<a>" * 100_000, 100))), "no_rows"),
    "thousand full rows": (
        lambda: xlsx_parts(sheet(repeat("<row>" + "<c><v>1</v></c>" * 16_384 + "</row>", 1000))),
        TOO_LARGE,
    ),
    "a row of long texts": (
        lambda: xlsx_parts(sheet(f'<row r="2">{cell_xml("A2", "x" * 1_100_000)}</row>')),
        "row_too_long",
    ),
    "entities in a sheet": (
        lambda: xlsx_parts([ENTITIES, *sheet(f'<row r="2">{cell_xml("A2", "x").replace("x<", "&file;&c;<")}</row>')]),
        "damaged",
    ),
    "a directory of 30,000 parts": (lambda: zip_of({f"xl/{n}": b"" for n in range(30_000)}), "more than 10,000"),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", CASES)
def test_refuses_a_workbook_made_to_exhaust_the_reader(name: str) -> None:
    """The program that reads it has one gigabyte and one minute; this process takes less than 12 MiB."""
    make, said = CASES[name]
    assert said in refusal_of(make())


def test_a_false_dimension_costs_nothing() -> None:
    """Some programs write that a sheet has 17 billion cells."""
    text = "".join(sheet(f'<row r="2">{cell_xml("A2", "1")}{cell_xml("B2", "Mug")}{cell_xml("C2", URL)}</row>'))
    data = xlsx_parts(text.replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>'))
    assert scan_csv(read_csv(io.BytesIO(data), limits=LIMITS)).products == 1


def test_entities_outside_the_sheet_are_not_read() -> None:
    """No file of this machine is opened for a workbook."""
    row = f'<row r="2">{cell_xml("A2", "1")}{cell_xml("B2", "Mug")}{cell_xml("C2", URL)}</row>'
    data = xlsx_parts(sheet(row), doctype=ENTITIES)
    (found,) = read_csv(io.BytesIO(data), limits=LIMITS).rows
    assert (found.serial_number, found.product_name, found.urls) == ("1", "Mug", (URL,))


def test_the_sizes_that_an_archive_states_are_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is started for a workbook that says itself that it is too large; pictures do not count."""
    monkeypatch.setattr(workbooks, "MAX_UNPACKED_BYTES", 20_000)
    target = io.BytesIO(xlsx_of([HEADER, ("1", "Mug", URL)]))
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("xl/media/image1.png", bytes(100_000))
    assert len(list(read_csv(target, limits=LIMITS).rows)) == 1
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("xl/worksheets/sheet2.xml", bytes(100_000))
    monkeypatch.setattr(workbooks, "_PROGRAM", "no.such.program")
    with pytest.raises(UnsupportedFile, match=TOO_LARGE):
        read_csv(target, limits=LIMITS)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("limit", "value"), [("MEMORY_BYTES", 16 * MIB), ("MAX_TEXT_CHARS", 100)])
def test_the_program_has_limits(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its memory or its output it gives up, and the file is refused."""
    monkeypatch.setattr(workbooks, limit, value)
    rows = [(str(n), "Mug", URL) for n in range(20_000)]
    with pytest.raises(UnsupportedFile, match=TOO_LARGE):
        read_csv(io.BytesIO(xlsx_of([HEADER, *rows])), limits=LIMITS)


@pytest.mark.parametrize(
    ("program", "error", "said"),
    [
        ("import os; os.abort()", UnsupportedFile, TOO_LARGE),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", UnsupportedFile, TOO_LARGE),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", UnsupportedFile, "damaged"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", InfrastructureError, "try again later"),
        ("raise ValueError", UnsupportedFile, "damaged"),
    ],
    ids=["no memory", "no time", "a crash", "killed from outside", "an error"],
)
def test_a_crash_of_the_program_is_a_refusal(
    program: str, error: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process goes on. What the system did to the program is no fault of the file."""
    (tmp_path / "crashing_program.py").write_text(program)
    monkeypatch.setattr(workbooks, "_PROGRAM", "crashing_program")
    monkeypatch.setattr(programs, "ROOT", tmp_path)
    with pytest.raises(error, match=said):
        read_csv(io.BytesIO(xlsx_of([HEADER])), limits=LIMITS)
