"""The output as a workbook: text alone, within the limits of Excel."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from imgproc.pipeline.table.workbook import CUT, MAX_CELL_CHARS, Workbook

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
URL = "https://host/1.jpg"


def written(*lines: list[str], sheet_rows: int = 1_048_576) -> zipfile.ZipFile:
    """The parts of a workbook with these lines."""
    stream = io.BytesIO()
    book = Workbook(stream, sheet_rows=sheet_rows)
    for line in lines:
        book.add(line)
    book.close()
    book.discard()
    return zipfile.ZipFile(stream)


def sheet(parts: zipfile.ZipFile, number: int = 1) -> ET.Element:
    """One worksheet."""
    return ET.fromstring(parts.read(f"xl/worksheets/sheet{number}.xml"))


def texts(parts: zipfile.ZipFile, number: int = 1) -> list[list[str]]:
    """The texts of the cells of a worksheet, by rows; cells without text are left out."""
    rows = sheet(parts, number).iter(f"{MAIN}row")
    return [["".join(cell.itertext()) for cell in row.iter(f"{MAIN}c")] for row in rows]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "'=1+1", '=HYPERLINK("x")', URL, "001", "1e5", "TRUE", "internal:Sheet1!A1", "mailto:a@b", " a ", "a\nb"],
)
def test_every_cell_is_text(text: str) -> None:
    """No formula, number or link: Excel would run, shorten or refuse them."""
    parts = written(["S. No.", "x"], ["1.", text])
    assert texts(parts) == [["S. No.", "x"], ["1.", text]]
    tags = {element.tag.removeprefix(MAIN) for element in sheet(parts).iter()}
    assert not tags & {"f", "v", "hyperlinks", "hyperlink"}


def test_rows_beyond_a_worksheet_go_on_in_the_next_under_the_header() -> None:
    """Excel has 1,048,576 rows a worksheet; no row is lost, and none is there twice."""
    lines = [["No", "Name"], *([str(number), "Mug"] for number in range(1, 6))]
    parts = written(*lines, sheet_rows=3)
    assert texts(parts, 1) == [["No", "Name"], ["1", "Mug"], ["2", "Mug"]]
    assert texts(parts, 2) == [["No", "Name"], ["3", "Mug"], ["4", "Mug"]]
    assert texts(parts, 3) == [["No", "Name"], ["5", "Mug"]]
    assert "xl/worksheets/sheet4.xml" not in parts.namelist()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("x" * MAX_CELL_CHARS, "x" * MAX_CELL_CHARS, id="as long as may be"),
        pytest.param("x" * (MAX_CELL_CHARS + 1), "x" * (MAX_CELL_CHARS - len(CUT)) + CUT, id="longer"),
        pytest.param("😀" * (MAX_CELL_CHARS // 2), "😀" * (MAX_CELL_CHARS // 2), id="pairs, as long as may be"),
        pytest.param("😀" * MAX_CELL_CHARS, "😀" * ((MAX_CELL_CHARS - len(CUT)) // 2) + CUT, id="pairs, longer"),
    ],
)
def test_a_text_too_long_for_a_cell_is_cut_and_says_so(text: str, kept: str) -> None:
    """Excel counts UTF-16 code units, and never half of a pair is left."""
    assert texts(written(["x"], [text]))[1] == [kept]


def test_characters_that_xml_cannot_hold_damage_no_workbook() -> None:
    """Control characters are escaped as Excel does it; noncharacters are replaced."""
    (text,) = texts(written(["x"], ["a\x01b\ufffec\uffffd"]))[1]
    assert text == "a_x0001_b\ufffdc\ufffdd"


def test_an_empty_table_is_a_workbook() -> None:
    """It has its header."""
    assert texts(written(["S. No.", "Product Name"])) == [["S. No.", "Product Name"]]


@pytest.mark.parametrize("closed", [False, True])
def test_a_workbook_that_is_discarded_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """Also where its request was cancelled before the last row."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    book = Workbook(io.BytesIO(), sheet_rows=2)
    for number in range(4):
        book.add([str(number), "Mug"])
    assert [*tmp_path.rglob("*")]
    if closed:
        book.close()
    book.discard()
    assert not [*tmp_path.rglob("*")]
