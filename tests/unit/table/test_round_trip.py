"""What we write of any file can be uploaded again: it has all lines of the file, and means the same products."""

from __future__ import annotations

import io

import pytest

from imgproc.pipeline.table.products import merge
from imgproc.pipeline.table.read import read_csv
from imgproc.pipeline.table.workbook import Workbook
from imgproc.pipeline.table.write import OUTPUT, FileRow, Layout, output_lines, write_csv
from tests.unit.table.case import HEADER, LIMITS, Case, outcome
from tests.unit.table.test_cases import CASES

READABLE = {name: case for name, case in CASES.items() if case.products}
MADE = "https://cdn/{}.jpg"


def lines_of(text: str) -> list[list[str]]:
    """The lines of the output file, where each image got an output."""
    reading = read_csv(io.BytesIO(text.encode()), limits=LIMITS, all_cells=True)
    rows = (FileRow(row, [MADE.format(place) for place, _ in enumerate(row.urls)]) for row in reading.rows)
    return list(output_lines(Layout(reading.header, reading.indices, reading.delimiter or ","), rows))


def products_of(data: bytes) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """The products of a file; it has no bad row."""
    rows = list(merge(read_csv(io.BytesIO(data), limits=LIMITS).rows))
    assert [fault for row in rows for fault in row.errors] == []
    return tuple((row.serial_number, row.product_name, row.urls) for row in rows)


def workbook_of(lines: list[list[str]]) -> bytes:
    """The lines as a workbook."""
    stream = io.BytesIO()
    book = Workbook(stream)
    for line in lines:
        book.add(line)
    book.close()
    book.discard()
    return stream.getvalue()


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in READABLE.items()])
def test_the_output_csv_means_the_same(case: Case) -> None:
    """Its last column is the outputs, and all lines are as wide as the header."""
    lines = lines_of(case.text)
    assert lines[0][-1] == OUTPUT
    assert len({len(line) for line in lines}) == 1
    assert products_of(b"".join(write_csv(lines))) == case.products


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [*list(READABLE)[::15], "the header comes again", "a table of psql"])
def test_the_output_workbook_means_the_same(name: str) -> None:
    """Every cell of it is a text."""
    case = READABLE[name]
    assert products_of(workbook_of(lines_of(case.text))) == case.products


def test_lines_that_are_no_rows_stay_in_the_output() -> None:
    """A header that comes again names the outputs again, so that the file means the same."""
    text = f"{HEADER}---,---,---\n1,Mug,https://host/1.jpg\n{HEADER}2,Cup,https://host/2.jpg\n,,https://host/3.jpg\n"
    lines = lines_of(text)
    header = [*HEADER.strip().split(","), OUTPUT]
    assert [line[0] for line in lines] == ["S. No.", "'---", "1", "S. No.", "2", ""]
    assert (lines[0], lines[3]) == (header, header)
    again = outcome(b"".join(write_csv(lines)))
    assert (again.faults, len(again.products)) == ((), 2)
