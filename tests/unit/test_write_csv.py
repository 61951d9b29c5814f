"""The content of the output CSV and the failed CSV, and that both can be uploaded again."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from imgproc.core.errors import InvalidCsv, UnsupportedFile
from imgproc.pipeline.table.cells import value
from imgproc.pipeline.table.columns import Columns
from imgproc.pipeline.table.encodings import CONTROL_BYTES
from imgproc.pipeline.table.formulas import guard, unguard
from imgproc.pipeline.table.products import merge
from imgproc.pipeline.table.read import CsvLimits, ReadOptions, Row, read_csv
from imgproc.pipeline.table.write import FailedFile, FileRow, Layout, output_lines, write_csv

# A busy machine must not make a test fail.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LIMITS = CsvLimits(max_rows=1000, max_images_per_row=9)

PLAIN, AS_FOUND = Layout(), ReadOptions()

URL = "https://host/1.jpg"


def a_row(*cells: str, outputs: Sequence[str | None] = (), error: str | None = None) -> FileRow:
    """A row of the three-column file."""
    serial, name, urls = (*map(value, cells), "", "", "")[:3]
    return FileRow(Row(1, 2, serial, name, urls, (), cells=cells), outputs, error)


def output_of(*rows: FileRow, layout: Layout = PLAIN) -> bytes:
    """The output CSV of the rows."""
    return b"".join(write_csv(output_lines(layout, rows)))


def failed_of(*rows: FileRow, layout: Layout = PLAIN, bom: bool = False) -> bytes:
    """The failed CSV of all rows of a file."""
    stream = io.BytesIO()
    failed = FailedFile(layout, stream, bom=bom)
    for row in rows:
        failed.add(row)
    failed.finish()
    return stream.getvalue()


def cells_of(data: bytes) -> list[list[str]]:
    """The cells of a CSV, read strictly by RFC 4180."""
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def read_all(data: bytes, options: ReadOptions = AS_FOUND) -> tuple[Layout, list[Row]]:
    """The layout and the rows of a file."""
    reading = read_csv(io.BytesIO(data), limits=LIMITS, options=options, all_cells=True)
    return Layout(reading.header, reading.indices, reading.delimiter or ","), list(reading.rows)


def products_of(data: bytes) -> list[tuple[str, str, tuple[str, ...], list[str]]]:
    """The products and bad rows of a file: serial number, name, URLs and codes of errors."""
    found = merge(read_csv(io.BytesIO(data), limits=LIMITS).rows)
    return [(row.serial_number, row.product_name, row.urls, [each.code for each in row.errors]) for row in found]


def made(row: Row, *, failing: Sequence[int] = ()) -> FileRow:
    """A row whose images are made, except those at the places `failing`; a bad row is skipped."""
    if row.errors:
        return FileRow(row, (), " ".join(fault.detail for fault in row.errors))
    outputs = [None if place in failing else f"https://o/{row.row}/{place}.jpg" for place in range(len(row.urls))]
    return FileRow(row, outputs, None if all(outputs) else "Image 1: The host answered 404.")


def test_writes_exactly_the_expected_output_csv() -> None:
    """It is UTF-8 without a byte order mark, with CRLF, minimal quotes, and an empty slot for each failed image."""
    rows = [
        a_row("1.", "SKU1", "https://a/1,https://a/2,https://a/3", outputs=["https://o/1", None, "https://o/3"]),
        a_row("2.", 'Crème "brûlée"', "https://a/4", outputs=[None]),
        a_row("3.", "two\nlines", "not-a-url", error="The URL is bad."),
    ]
    assert output_of(*rows).decode() == (
        "S. No.,Product Name,Input Image Urls,Output Image Urls\r\n"
        '1.,SKU1,"https://a/1,https://a/2,https://a/3","https://o/1,,https://o/3"\r\n'
        '2.,"Crème ""brûlée""",https://a/4,\r\n'
        '3.,"two\nlines",not-a-url,\r\n'
    )


def test_writes_the_header_without_rows() -> None:
    """A file without rows is still a CSV."""
    assert failed_of() == b"S. No.,Product Name,Input Image Urls,Error\r\n"


def test_begins_with_a_byte_order_mark_once_where_one_is_asked_for() -> None:
    """Both files do, also where the output has several chunks."""
    rows = [a_row(str(number), "Mug", URL, error="It failed.") for number in range(5000)]
    for data in (b"".join(write_csv(output_lines(Layout(), rows), bom=True)), failed_of(*rows, bom=True)):
        assert data.startswith(b"\xef\xbb\xbfS. No.")
        assert data.count(b"\xef\xbb\xbf") == 1


def test_streams_rows_as_they_come() -> None:
    """The first chunk is written before all rows are read, and no row is lost between chunks."""
    asked = []

    def rows() -> Iterator[FileRow]:
        for number in range(5000):
            asked.append(number)
            yield a_row(str(number), "Mug", URL, outputs=["https://o/1.jpg"])

    chunks = write_csv(output_lines(Layout(), rows()))
    first = next(chunks)
    assert len(asked) < 3000
    rest = list(chunks)
    assert max(map(len, [first, *rest])) < 100_000
    lines = cells_of(b"".join([first, *rest]))
    assert [line[0] for line in lines[1:]] == [str(number) for number in range(5000)]


WIDE = Layout(("Price", "SKU", "Title", "Images", "Stock"), Columns(1, 2, (3,)), ";")


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        pytest.param(["9,90", "1", "Mug", URL, "3"], ["9,90", "1", "Mug", URL, "3"], id="as the header"),
        pytest.param(["9,90", "1", "Mug", URL], ["9,90", "1", "Mug", URL, ""], id="one fewer"),
        pytest.param([], ["", "", "", "", ""], id="none"),
        pytest.param(["", "1", "Mug", URL, "3", "", " "], ["", "1", "Mug", URL, "3"], id="blank ones more"),
        pytest.param(["", "1", "Mug", "blue", URL, "3"], ["", "1", "Mug", "blue", f"{URL};3"], id="of a bad row"),
        pytest.param(["", "", " Mug ", "", " "], ["", "", " Mug ", "", " "], id="white space"),
    ],
)
def test_every_line_has_as_many_cells_as_the_header(cells: list[str], kept: list[str]) -> None:
    """Missing cells are filled up, blank surplus ones are cut, and no text is lost."""
    row = a_row(*cells, error="It failed.")
    assert cells_of(output_of(row, layout=WIDE)) == [[*WIDE.header, "Output Image Urls"], [*kept, ""]]
    assert cells_of(failed_of(row, layout=WIDE)) == [[*WIDE.header, "Error"], [*kept, "It failed."]]


def test_the_surplus_of_a_bad_row_does_not_become_part_of_its_url() -> None:
    """A row that was refused for its cells is refused again."""
    data = f"S. No.,Product Name,Input Image Urls\n1.,Mug,{URL},red\n".encode()
    layout, (row,) = read_all(data)
    assert [each.code for each in row.errors] == ["too_many_fields"]
    for again in (output_of(made(row), layout=layout), failed_of(made(row), layout=layout)):
        assert all(row.errors for row in read_all(again)[1])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("=1+1", "'=1+1", id="equals"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-5", "'-5", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\t=1", "'\t=1", id="tab"),
        pytest.param("\r=1", "'\r=1", id="carriage return"),
        pytest.param("\nx", "'\nx", id="line feed"),
        pytest.param("  =1", "'  =1", id="leading spaces"),
        pytest.param("\u00a0=1", "'\u00a0=1", id="leading no-break space"),
        pytest.param("\uff1d1", "'\uff1d1", id="full-width equals"),
        pytest.param("\uff0b1", "'\uff0b1", id="full-width plus"),
        pytest.param("\uff0d1", "'\uff0d1", id="full-width minus"),
        pytest.param("\uff20A1", "'\uff20A1", id="full-width at"),
        pytest.param("\ufe661", "'\ufe661", id="small equals"),
        pytest.param("\u200b=1", "'\u200b=1", id="zero-width space"),
        pytest.param("\ufeff=1", "'\ufeff=1", id="byte order mark"),
        pytest.param("\u200c\u200d\u2060=1", "'\u200c\u200d\u2060=1", id="joiners"),
        pytest.param("\u00ad@x", "'\u00ad@x", id="soft hyphen"),
        pytest.param("\u202e\u200f+1", "'\u202e\u200f+1", id="marks of direction"),
        pytest.param("\u3000\u2003-1", "'\u3000\u2003-1", id="wide spaces"),
        pytest.param("\u200b\t=1", "'\u200b\t=1", id="zero-width space and tab"),
        pytest.param("'\u200b'=1", "'\u200b'=1", id="an apostrophe and an invisible character"),
        pytest.param("\n", "\n", id="a line break alone"),
        pytest.param("\0=1", "'\0=1", id="NUL"),
        pytest.param("\x1b=1", "'\x1b=1", id="escape"),
        pytest.param("\u200bMug", "\u200bMug", id="zero-width space before a word"),
        pytest.param("\ufeffMug - blue", "\ufeffMug - blue", id="byte order mark before a word"),
        pytest.param('=HYPERLINK("x","y")', '\'=HYPERLINK("x","y")', id="quotes and commas"),
        pytest.param("'=1", "'=1", id="guarded already"),
        pytest.param("''=1", "''=1", id="guarded twice"),
        pytest.param(" '=1", "'=1", id="guarded, behind a space"),
        pytest.param('="00123"', "00123", id="a text as a formula"),
        pytest.param('="=1"', "'=1", id="a formula in a text as a formula"),
        pytest.param("1=1", "1=1", id="equals inside"),
        pytest.param("a-b", "a-b", id="minus inside"),
        pytest.param("'quoted'", "'quoted'", id="apostrophe"),
        pytest.param("1.", "1.", id="number"),
        pytest.param("", "", id="empty"),
    ],
)
def test_guards_every_cell_a_spreadsheet_would_run(text: str, written: str) -> None:
    """A formula is prefixed with an apostrophe, in every column of both files."""
    row = a_row(text, text, text, error="It failed.")
    assert cells_of(output_of(row))[1] == [written] * 3 + [""]
    assert cells_of(failed_of(row))[1] == [written] * 3 + ["It failed."]


def test_guards_formulas_in_headings_outputs_and_errors() -> None:
    """They come from the input too, in part."""
    layout = Layout(("S. No.", "=1+1", "Product Name", "Input Image Urls"), Columns(0, 2, (3,)))
    row = a_row("1.", "=2", "Mug", URL, outputs=["=3"], error="=4")
    assert cells_of(output_of(row, layout=layout))[0][1] == "'=1+1"
    assert cells_of(output_of(row, layout=layout))[1] == ["1.", "'=2", "Mug", URL, "'=3"]
    assert cells_of(failed_of(row, layout=layout))[1] == ["1.", "'=2", "Mug", URL, "'=4"]


def test_guards_a_formula_behind_every_invisible_character() -> None:
    """White space, control, format and ignorable characters of Unicode are skipped before the formula."""
    ignorable = [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), 0xE0100]
    known = [code for code in range(0x110000) if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zs", "Zl", "Zp"}]
    for code in [*ignorable, *known]:
        text = f"{chr(code)}=1"
        assert guard(text) == f"'{text}", hex(code)
        assert unguard(guard(text)) == text


TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
    | st.text("'=+-@ \t\r\n\",;\u200b\ufeff\u00ad\u202e\uff1d", min_size=1, max_size=8).map(lambda text: f"{text}x")
    | st.text("'=+-@", min_size=1, max_size=4)
)
# read_csv strips cells, so only stripped texts can be read back unchanged.
VALUES = TEXTS.map(str.strip).filter(bool)
URLS = st.lists(st.sampled_from([URL, "http://b/w_1,h_2/c.png", "https://例え.jp/?a=1;b|c"]), min_size=1, max_size=4)


@patient
@given(serial=VALUES, name=VALUES, urls=URLS, separator=st.sampled_from([",", " ", "\n", ";", " | "]), other=TEXTS)
@example(serial="-5", name="'=1", urls=[URL], separator="\n", other="=no")
@example(serial="\u200b=1", name="'\ufeff=1", urls=[URL], separator=",", other="\u200b=no")
@example(serial="'' =", name="'\tx", urls=[URL], separator=",", other="\n\t")
@example(serial="1.", name="x", urls=[URL], separator=",", other=" ")
@example(serial="1.", name="x", urls=[URL], separator=",", other="  y ")
def test_reads_what_it_writes_as_the_same_upload(
    serial: str, name: str, urls: list[str], separator: str, other: str
) -> None:
    """For any text, both files mean what the input does; written again from there, they are the same byte by byte."""
    layout = Layout(("S. No.", "Note", "Product Name", "Input Image Urls"), Columns(0, 2, (3,)))
    cells = [guard(serial), other, guard(name), separator.join(urls)]
    row = FileRow(Row(1, 2, serial, name, cells[3], tuple(urls), cells=cells), [None] * len(urls), "It failed.")
    for write in (output_of, failed_of):
        data = write(row, layout=layout)
        assume(len(data) >= 20 * sum(byte in CONTROL_BYTES for byte in data))  # otherwise the file counts as binary
        assume("http" not in name)
        found, (again,) = read_all(data)
        assert (again.serial_number, again.product_name) == (value(cells[0]), value(cells[2]))
        assert (again.urls, again.errors) == (tuple(urls), ())
        assert write(FileRow(again, [None] * len(urls), "It failed."), layout=found) == data


FILES = {
    "three columns": f'S. No.,Product Name,Input Image Urls\n1.,Mug,{URL}\n2.,Cup,"{URL},https://h/2.jpg"\n',
    "columns between and behind": f'Price;SKU;Text;Title;Images;Stock\n9,90;A1;"a;b";Mug;{URL} https://h/2.jpg;3\n'
    f"1,20;A2;;Cup;{URL};\n",
    "several image columns": f"id,title,image 1,image 2,image 3\n1,Mug,{URL},,https://h/3.jpg\n2,Cup,,{URL},\n",
    "images of a product on rows": f"Handle,Title,Body,Image Src,Image Position\nmug,Mug,<p>x</p>,{URL},1\n"
    f"mug,,,https://h/2.jpg,2\nmug,,,https://h/3.jpg,3\ncup,Cup,,https://h/4.jpg,1\n",
    "merged cells": f"S. No.,Product Name,Input Image Urls\n1.,Mug,{URL}\n,,https://h/2.jpg\n2.,Cup,https://h/4.jpg\n",
    "a variant without an image": f"Handle,Title,Option,Image Src\nmug,Mug,red,{URL}\nmug,,blue,\ncup,Cup,,{URL}\n",
    "repeated serials and names": f"SKU,Name,Image URL\n1,Mug,{URL}\n1,Mug,https://h/2.jpg\n2,Cup,{URL}\n",
    "lines above the header": f"My shop\n\nS. No.,Product Name,Input Image Urls\n1.,Mug,{URL}\n",
    "bad rows between": f"S. No.,Product Name,Input Image Urls\n1.,Mug,{URL}\n2.,,{URL}\n,,ftp://x\n3.,Cup,{URL}\n",
    "a bad row within a product": f"Handle,Title,Image Src\nmug,Mug,{URL}\nmug,,C:\\x.jpg\nmug,,https://h/2.jpg\n",
    "a bad first row": f"Handle,Title,Image Src\nmug,Mug,C:\\x.jpg\nmug,,{URL}\ncup,Cup,{URL}\n",
    "blank rows": f"S. No.,Product Name,Input Image Urls\n\n1.,Mug,{URL}\n,,\n2.,Cup,{URL}\n\n,,\n",
    "guards": f'S. No.,Product Name,Input Image Urls,x\n\'-1,\'=Mug,"=IMAGE(""{URL}"")",=1\n="002",+Cup,{URL},\n',
    "an output file": f"S. No.,Product Name,Input Image Urls,Output Image Urls\n1.,Mug,{URL},https://old/1.jpg\n",
    "a failed file": f"S. No.,Error,Product Name,Input Image Urls\n1.,It failed.,Mug,{URL}\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_the_output_file_is_the_input_with_one_column_more(text: str) -> None:
    """It has all cells of all rows in order; uploaded again it means the same, and its old outputs are replaced."""
    layout, rows = read_all(text.encode())
    data = output_of(*map(made, rows), layout=layout)
    lines = cells_of(data)
    before = [name for name in layout.header if name != "Output Image Urls"]
    assert lines[0] == [*before, "Output Image Urls"]
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines) == 1 + len(rows)
    for line, row in zip(lines[1:], rows, strict=True):
        kept = [cell for cell, name in zip(row.cells, layout.header, strict=False) if name != "Output Image Urls"]
        assert list(map(value, line[: len(kept)])) == list(map(value, kept))
        assert len(line[-1].split(",")) == max(1, len(row.urls) if not row.errors else 0)
    assert products_of(data) == products_of(text.encode())
    found, again = read_all(data)
    assert output_of(*map(made, again), layout=found) == data


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_the_failed_file_uploaded_again_gives_the_failed_products(text: str) -> None:
    """For each row that fails, its product has its serial number, its name and the URL; bad rows stay bad."""
    layout, rows = read_all(text.encode())
    for failing in rows:
        data = failed_of(*(made(row, failing=[0] if row is failing else []) for row in rows), layout=layout)
        names = [name for name in layout.header if name != "Error"]
        assert cells_of(data)[0] == [*names, "Error"]
        if failing.errors or not failing.urls:
            continue
        found = products_of(data)
        (product,) = [each for each in found if each[0] == failing.serial_number and not each[3]]
        assert product[1] == failing.product_name
        assert set(failing.urls) <= set(product[2])
        assert len([each for each in found if each[3]]) == len([row for row in rows if row.errors])


def test_the_failed_file_has_no_row_of_a_product_that_is_not_needed() -> None:
    """A row with its own serial number and name stands alone; one without has the first row before it."""
    layout, rows = read_all(FILES["images of a product on rows"].encode())
    lines = cells_of(failed_of(*(made(row, failing=[0] if row.row == 3 else []) for row in rows), layout=layout))
    assert [(line[0], line[4], line[5]) for line in lines[1:]] == [
        ("mug", "1", ""),
        ("mug", "3", "Image 1: The host answered 404."),
    ]
    layout, rows = read_all(FILES["repeated serials and names"].encode())
    lines = cells_of(failed_of(*(made(row, failing=[0] if row.row == 2 else []) for row in rows), layout=layout))
    assert [line[2] for line in lines[1:]] == ["https://h/2.jpg"]


def test_a_column_of_outputs_that_is_read_stays() -> None:
    """`columns` may name it as the images to read."""
    data = f"SKU,Title,Output Image Urls\n1,Mug,{URL}\n".encode()
    layout, rows = read_all(data, ReadOptions(columns={"inputImageUrls": ("Output Image Urls",)}))
    lines = cells_of(output_of(*map(made, rows), layout=layout))
    assert lines == [["SKU", "Title", "Output Image Urls", "Output Image Urls"], ["1", "Mug", URL, "https://o/1/0.jpg"]]


@patient
@example(extra=[("\n'", "0")], separator=",", at=0)
@given(
    extra=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4),
    separator=st.sampled_from(",;\t|"),
    at=st.integers(0, 3),
)
def test_keeps_any_text_in_any_other_column(extra: list[tuple[str, str]], separator: str, at: int) -> None:
    """What other columns hold is written as it was, but for guards; written again, it stays the same."""
    header = ["S. No.", "Product Name", "Input Image Urls"]
    header.insert(at, "Note")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator)
    writer.writerow(header)
    for number, (one, _) in enumerate(extra, 1):
        cells = [f"{number}.", "Mug", URL]
        cells.insert(at, one)
        writer.writerow(cells)
    data = stream.getvalue().encode()
    assume(len(data) >= 40 * sum(byte in CONTROL_BYTES for byte in data))
    try:
        layout, rows = read_all(data)
    except (InvalidCsv, UnsupportedFile):
        return
    assume(not any(row.errors for row in rows))
    output = output_of(*map(made, rows), layout=layout)
    column = [line[at] for line in cells_of(output)[1:]]
    assert [unguard(cell) for cell in column] == [unguard(row.cells[at]) for row in rows] or any(
        map(str.isspace, "".join(column))
    )
    found, again = read_all(output)
    assert output_of(*map(made, again), layout=found) == output
