"""The content of the output CSV and the failed CSV, and that both can be uploaded again."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from imgproc.pipeline.table.encodings import CONTROL_BYTES
from imgproc.pipeline.table.formulas import guard, unguard
from imgproc.pipeline.table.read import CsvLimits, read_csv
from imgproc.pipeline.table.write import FailedRow, OutputRow, write_failed_csv, write_output_csv

# A busy machine must not make a test fail.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

URL = "https://host/1.jpg"


def cells_of(chunks: Iterator[bytes]) -> list[list[str]]:
    """The cells of a CSV, read strictly by RFC 4180."""
    return list(csv.reader(io.StringIO(b"".join(chunks).decode(), newline=""), strict=True))


def test_writes_exactly_the_expected_output_csv() -> None:
    """It is UTF-8 without a byte order mark, with CRLF, minimal quotes, and an empty slot for each failed image."""
    rows = [
        OutputRow("1.", "SKU1", ["https://a/1", "https://a/2", "https://a/3"], ["https://o/1", None, "https://o/3"]),
        OutputRow("2.", 'Crème "brûlée"', ["https://a/4"], [None]),
        OutputRow("3.", "two\nlines", "not-a-url", []),
    ]
    assert b"".join(write_output_csv(rows)).decode() == (
        "S. No.,Product Name,Input Image Urls,Output Image Urls\r\n"
        '1.,SKU1,"https://a/1,https://a/2,https://a/3","https://o/1,,https://o/3"\r\n'
        '2.,"Crème ""brûlée""",https://a/4,\r\n'
        '3.,"two\nlines",not-a-url,\r\n'
    )


def test_writes_the_header_without_rows() -> None:
    """A file without rows is still a CSV."""
    assert b"".join(write_failed_csv([])) == b"S. No.,Product Name,Input Image Urls,Error\r\n"


def test_streams_rows_as_they_come() -> None:
    """The first chunk is written before all rows are read, and no row is lost between chunks."""
    asked = []

    def rows() -> Iterator[FailedRow]:
        for number in range(5000):
            asked.append(number)
            yield FailedRow(str(number), "Mug", URL, "It failed.")

    chunks = write_failed_csv(rows())
    first = next(chunks)
    assert len(asked) < 3000
    rest = list(chunks)
    assert max(map(len, [first, *rest])) < 100_000
    lines = cells_of(iter([first, *rest]))
    assert [line[0] for line in lines[1:]] == [str(number) for number in range(5000)]


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
        pytest.param("'\u200b'=1", "''\u200b'=1", id="an apostrophe and an invisible character"),
        pytest.param("\0=1", "'\0=1", id="NUL"),
        pytest.param("\x1b=1", "'\x1b=1", id="escape"),
        pytest.param("\u200bMug", "\u200bMug", id="zero-width space before a word"),
        pytest.param("\ufeffMug - blue", "\ufeffMug - blue", id="byte order mark before a word"),
        pytest.param('=HYPERLINK("x","y")', '\'=HYPERLINK("x","y")', id="quotes and commas"),
        pytest.param("'=1", "''=1", id="looks guarded already"),
        pytest.param("1=1", "1=1", id="equals inside"),
        pytest.param("a-b", "a-b", id="minus inside"),
        pytest.param("'quoted'", "'quoted'", id="apostrophe"),
        pytest.param("1.", "1.", id="number"),
        pytest.param("", "", id="empty"),
    ],
)
def test_guards_every_cell_a_spreadsheet_would_run(text: str, written: str) -> None:
    """A formula is prefixed with an apostrophe, in every column of both files."""
    assert cells_of(write_output_csv([OutputRow(text, text, text, [text])]))[1] == [written] * 4
    assert cells_of(write_failed_csv([FailedRow(text, text, text, text)]))[1] == [written] * 4


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
@given(serial=VALUES, name=VALUES, urls=URLS, separator=st.sampled_from([",", " ", "\n", ";", " | "]), error=TEXTS)
@example(serial="-5", name="'=1", urls=[URL], separator="\n", error="=no")
@example(serial="\u200b=1", name="'\ufeff=1", urls=[URL], separator=",", error="\u200b=no")
@example(serial="'' =", name="'\tx", urls=[URL], separator=",", error="")
def test_reads_the_failed_csv_back_as_the_same_upload(
    serial: str, name: str, urls: list[str], separator: str, error: str
) -> None:
    """For any text, reading removes exactly the guards and quotes that writing added."""
    row = FailedRow(serial, name, separator.join(urls), error)
    data = b"".join(write_failed_csv([row]))
    assume(len(data) >= 20 * sum(byte in CONTROL_BYTES for byte in data))  # otherwise the file counts as binary
    (again,) = read_csv(io.BytesIO(data), limits=CsvLimits(max_rows=9, max_images_per_row=9)).rows
    assert (again.serial_number, again.product_name, again.input_cell) == (serial, name, row.input_cell)
    assert (again.urls, again.errors) == (tuple(urls), ())
    assert b"".join(write_failed_csv([FailedRow(*again[2:5], error)])) == data


def test_reads_the_output_csv_back_as_the_upload_it_came_from() -> None:
    """The column of output URLs is ignored."""
    data = b"".join(write_output_csv([OutputRow("1.", "Mug", [URL, URL], [None, "https://o/1.jpg"])]))
    (row,) = read_csv(io.BytesIO(data), limits=CsvLimits(max_rows=9, max_images_per_row=9)).rows
    assert (row.serial_number, row.product_name, row.urls, row.errors) == ("1.", "Mug", (URL, URL), ())
