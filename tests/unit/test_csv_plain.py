"""Reading plain rows in blocks gives the same result as reading them one by one, for any file."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imgproc.core.errors import InvalidCsv, UnsupportedFile
from imgproc.pipeline.table import records
from imgproc.pipeline.table.plain import PlainReader, PlainRows
from imgproc.pipeline.table.read import CsvLimits, Row, read_csv, scan_csv

LIMITS = CsvLimits(max_rows=12, max_images_per_row=3)
HEADERS = ["No,Name,Url", "Url;No;Colour;Name", "No\tName\tUrl\tSize", 'No,"Name",Url', "Name,Url,No,"]
SERIALS = st.integers(1, 30).map(str) | st.sampled_from(["", " 7", "'8", "'=9", "é", "a b", "x" * 255, "x" * 256])
NAMES = st.sampled_from(["Mug", "Crème", "", "a,b", "a;b", 'a "b"', "'+1", " pad ", "\u2028x", "n" * 501, "\0"])
URLS = st.sampled_from(
    [
        "https://a/1.jpg",
        "http://b.example:8080/x?y=z#f",
        "https://c/w_9,h_9/b.png",
        "https://d/1;2|3",
        "HTTPS://E",
        "http://u@h/",
        "http://",
        "ftp://f",
        "https://g:99999/",
        "https://h/é",
        'https://i/"j',
        "https://k/" + "l" * 2048,
    ]
)
LISTS = st.lists(URLS, max_size=4).flatmap(
    lambda urls: st.sampled_from([",", ";", "|", " "]).map(lambda s: s.join(urls))
)
CELLS = st.tuples(SERIALS, NAMES, LISTS, st.sampled_from(["", "red", " "]))
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", ""])
PLAIN = st.integers(1, 9).map(lambda n: [f"{n}", "Mug", f"https://a/{n}.jpg", "red"])
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A table of mostly plain rows, mixed with every oddity that spreadsheets and people produce."""
    header = draw(st.sampled_from(HEADERS))
    delimiter = next(d for d in ",;\t" if d in header)
    lines = [header, draw(st.sampled_from(["\n", "\r\n"]))]
    for _ in range(draw(st.integers(0, 14))):
        serial, name, urls, colour = draw(PLAIN | PLAIN | CELLS)
        cells = {"No": serial, "Name": name, "Url": urls, "Colour": colour, "Size": colour, "": ""}
        columns = [cells[column.strip('"')] for column in header.split(delimiter)]
        lines += [delimiter.join(_quoted(cell) if draw(st.booleans()) else cell for cell in columns), draw(ENDS)]
    return "".join(lines).encode() + draw(st.sampled_from([b"", b"\xff", b'"']))


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def everything(data: bytes, block: int | None) -> Any:
    """The scan, rows and errors of a file, read in blocks of so many characters, or without blocks for None."""
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        if block is None:
            patch.setattr(PlainReader, "take", lambda *_, **__: None)
        else:
            patch.setattr(records, "BLOCK_CHARS", block)
        try:
            found.append(scan_csv(read_csv(io.BytesIO(data), limits=LIMITS)))
        except (InvalidCsv, UnsupportedFile) as error:
            found.append((error.detail, getattr(error, "errors", None)))
        for all_cells in (False, True):
            try:
                rows = read_csv(io.BytesIO(data), limits=LIMITS, all_cells=all_cells).rows
                found.extend(row._replace(cells=tuple(row.cells)) for row in rows)
            except (InvalidCsv, UnsupportedFile) as error:
                found.append((error.detail, getattr(error, "errors", None)))
    return found


@pytest.mark.exhaustive
@patient
@given(files(), st.sampled_from([1, 40, 200, 16384]))
@example(b"No,Name,Url\n" + b"".join(b"%d,Mug,https://a/1\n" % n for n in range(1, 14)), 16384)
@example(b"No,Name,Url\n1,Mug,https://a/1\n2,Mug,https://a/1\n2,Mug,https://a/1\n", 20)
@example(b"No,Name,Url\n1,Mug,https://a/1\r\n2,Mug,https://a/1\r3,Mug,https://a/1\n", 1)
@example(b'No,Name,Url\n1,"Mug\n2,Mug,https://a/1\n",https://a/1\n', 20)
def test_reading_in_blocks_equals_reading_row_by_row(data: bytes, block: int) -> None:
    """Rows, errors, line numbers and refusals are the same, wherever a block ends."""
    assert everything(data, block) == everything(data, None)


def test_reads_plain_rows_in_blocks() -> None:
    """Plain rows do take the block path; otherwise the equality above would prove nothing."""
    rows = [f'{n}.,"Mug, blue","https://a/{n}.jpg,https://b/{n}.jpg"\r\n' for n in range(1, 10)]
    data = ("S. No.,Product Name,Input Image Urls\r\n" + "".join(rows)).encode()
    (block,) = read_csv(io.BytesIO(data), limits=LIMITS).parts
    assert isinstance(block, PlainRows)
    assert (len(block), block.images) == (9, 18)
    assert list(block)[8] == Row(
        9,
        10,
        "9.",
        "Mug, blue",
        "https://a/9.jpg,https://b/9.jpg",
        ("https://a/9.jpg", "https://b/9.jpg"),
    )
