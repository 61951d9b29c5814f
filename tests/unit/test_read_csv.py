"""Which files are valid, and what the errors say about the others."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imgproc.core.errors import InvalidCsv, RowError, UnsupportedFile
from imgproc.pipeline.table.read import CsvLimits, CsvReading, ReadOptions, Row, Scan, read_csv, require_valid, scan_csv

# A busy machine must not make a test fail.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

FIXTURES = Path(__file__).parents[1] / "fixtures" / "csv"
HEADER = "S. No.,Product Name,Input Image Urls\n"
URL = "https://host/1.jpg"
GOOD = f"1,Mug,{URL}\n"
LIMITS = CsvLimits(max_rows=1000, max_images_per_row=5)


def read(text: str | bytes, limits: CsvLimits = LIMITS) -> CsvReading:
    """Read a file given as text or bytes."""
    return read_csv(io.BytesIO(text if isinstance(text, bytes) else text.encode()), limits=limits)


def rows_of(text: str | bytes, limits: CsvLimits = LIMITS) -> list[Row]:
    """The rows of a file."""
    return list(read(text, limits).rows)


def refusal_of(text: str | bytes, limits: CsvLimits = LIMITS) -> RowError:
    """The one error for which the whole file is refused."""
    with pytest.raises(InvalidCsv) as refused:
        rows_of(text, limits)
    (fault,) = refused.value.errors
    assert refused.value.detail == fault.detail
    return fault


def urls_of(cell: str) -> list[str]:
    """The URLs of a cell, as they are read."""
    quoted = cell.replace('"', '""')
    return list(rows_of(f'{HEADER}1,Mug,"{quoted}"\n')[0].urls)


def faults_of(text: str | bytes, limits: CsvLimits = LIMITS) -> list[tuple[int, str | None, str]]:
    """Line, column and code of every error of the rows."""
    return [(error.line, error.column, error.code) for row in rows_of(text, limits) for error in row.errors]


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.?sv")), ids=lambda path: path.name)
def test_reads_the_same_products_however_they_are_written(path: Path) -> None:
    """Encoding, delimiter, line ends, quoting and column order do not matter."""
    urls = tuple(f"https://www.public-image-url{n}.jpg" for n in (1, 2, 3))
    with path.open("rb") as stream:
        rows = list(read_csv(stream, limits=LIMITS).rows)
    assert [(row.row, row.serial_number, row.product_name, row.urls, row.errors) for row in rows] == [
        (1, "1.", "SKU1", urls, ()),
        (2, "2.", "Crème brûlée, 6 pièces", urls[:2], ()),
    ]


def test_shows_how_the_file_was_read() -> None:
    """The reading names encoding, delimiter, header and the header found for each column."""
    reading = read("Image Urls;Colour; Sr No ;NAME;\nu;red;1;Mug;\n".encode("utf-16"))
    assert (reading.encoding, reading.delimiter) == ("utf-16", ";")
    assert reading.header == ("Image Urls", "Colour", "Sr No", "NAME")
    assert reading.columns == {
        "serialNumber": ("Sr No",),
        "productName": ("NAME",),
        "inputImageUrls": ("Image Urls",),
    }


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        pytest.param("Café", "cp1252", id="one French word"),
        pytest.param("Müller Bürste", "cp1252", id="German"),
        pytest.param("Señor Piñata", "cp1252", id="Spanish"),
        pytest.param("Åse kjøkken, 12€", "cp1252", id="Norwegian"),
        pytest.param("Łyżka żółta, mała gęś i ćma", "cp1250", id="Polish"),
        pytest.param("Красная кружка", "cp1251", id="Russian"),
        pytest.param("赤いカップ", "cp932", id="Japanese"),
        pytest.param("红色杯子", "gb18030", id="Chinese"),
    ],
)
@pytest.mark.parametrize("plain_rows", [0, 5000], ids=["at once", "after half a megabyte of ASCII"])
def test_detects_the_encoding_of_files_that_are_not_unicode(names: str, encoding: str, plain_rows: int) -> None:
    """Files that spreadsheets save as plain CSV are read correctly, wherever the first accent is."""
    plain = "".join(
        f"{n},plain name,https://host/a/rather/long/path/to/the/picture/of/product/{n}.jpg\n" for n in range(plain_rows)
    )
    text = f'{HEADER}{plain}last,"{names}",{URL}\n'
    reading = read(text.encode(encoding), CsvLimits(max_rows=10_000, max_images_per_row=5))
    *_, last = reading.rows
    assert (reading.encoding, last.product_name) == (encoding, names)


@pytest.mark.parametrize(
    "header",
    [
        "S. No.,Product Name,Input Image Urls",
        "S.No,product_name,INPUT-IMAGE-URL",
        "Sr No,Product,Image Urls",
        "Serial Number,Name,Images",
        "#,  product   name ,image url",
        "SERIAL NO.,Product Name,\uff29\uff4eput Image Urls",
        '"S. No.","Product\nName", "Input Image Urls"',
        "S. No.,Product Name,Input Image Urls,,,",
    ],
)
def test_finds_the_columns_by_any_of_their_names(header: str) -> None:
    """Case, spacing and punctuation of the header are ignored."""
    (row,) = rows_of(f"{header}\n{GOOD}")
    assert (row.serial_number, row.product_name, row.urls) == ("1", "Mug", (URL,))


@pytest.mark.parametrize(
    ("header", "code", "column", "said"),
    [
        pytest.param("S. No.,Product Name", "missing_column", None, "Image Urls", id="no URLs"),
        pytest.param("a,b,c", "missing_header", None, "rename", id="no column of ours"),
        pytest.param("#,Name,Name,Images", "duplicate_column", "Name", "'Name' and 'Name'", id="two names"),
    ],
)
def test_refuses_a_missing_or_duplicate_column(header: str, code: str, column: str | None, said: str) -> None:
    """The error shows the header, and what to rename."""
    fault = refusal_of(f"\n{header}\n1,Mug,Cup,{URL}\n")
    assert (fault.line, fault.column, fault.code) == (2, column, code)
    assert said in fault.detail
    assert column or header.replace(",", ", ") in fault.detail


def test_a_product_is_not_lost_as_the_header() -> None:
    """Where the first line is a product, its cells are neither offered as columns nor accepted as such."""
    file = f"1,Mug,{URL}\n2,Cup,{URL}\n".encode()
    chosen = ReadOptions(columns={"serialNumber": ("1",), "productName": ("Mug",), "inputImageUrls": (URL,)})
    for options in (ReadOptions(), chosen):
        with pytest.raises(InvalidCsv) as refused:
            read_csv(io.BytesIO(file), limits=LIMITS, options=options)
        assert [each.code for each in refused.value.errors] == ["missing_header"]
        assert refused.value.header == ()


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        pytest.param("", 1, "empty_file", id="no byte"),
        pytest.param(" \n\t\n\r\n", 1, "empty_file", id="white space"),
        pytest.param(b"\xef\xbb\xbf", 1, "empty_file", id="a byte order mark alone"),
        pytest.param(HEADER, 1, "no_rows", id="header only"),
        pytest.param(f"\n{HEADER}\n,,\n", 2, "no_rows", id="header and blank lines"),
        pytest.param(f'{HEADER}{GOOD}2,Mug,"{URL}\n3,Mug,{URL}\n', 3, "unterminated_quote", id="a quote never closed"),
        pytest.param(f'{HEADER}2,"a\nb","{URL}\n\n3,Mug', 3, "unterminated_quote", id="the second quote of a row"),
        pytest.param(f'{HEADER}{GOOD}2,"', 3, "unterminated_quote", id="a quote at the very end"),
        pytest.param(f'"{HEADER}{GOOD}', 1, "unterminated_quote", id="a quote in the header"),
        pytest.param(f'{HEADER}1,"{"long " * 30_000}\n', 2, "unterminated_quote", id="an open quote and a long line"),
        pytest.param(f"{HEADER}1,Mug,{'a,' * 600_000}", 2, "row_too_long", id="a line of a million cells"),
        pytest.param(f"{HEADER}1,Mug,{'x' * 2_000_000}", 2, "row_too_long", id="a line of one huge cell"),
        pytest.param(HEADER + '"ab\n",' * 300_000, 2, "row_too_long", id="a row of a million lines"),
        pytest.param("S. No.,Product\0 Name,Images\n", 1, "nul_character", id="a NUL in the header"),
    ],
)
def test_refuses_a_file_that_cannot_be_read_to_its_end(text: str | bytes, line: int, code: str) -> None:
    """There is one error, and it names the line."""
    fault = refusal_of(text)
    assert (fault.line, fault.column, fault.code) == (line, None, code)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"\x89PNG\r\n\x1a\n", "PNG", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG", id="jpeg"),
        pytest.param(b"\xfd7zXZ\x00", "xz", id="xz"),
        pytest.param(b"%PDF-1.7\n", "PDF", id="pdf"),
        pytest.param(bytes(range(256)) * 4, "not plain text", id="any bytes"),
    ],
)
def test_refuses_what_is_not_text(data: bytes, said: str) -> None:
    """The error for a binary file names its kind, and what to do instead."""
    with pytest.raises(UnsupportedFile, match=said) as refused:
        read(data)
    assert "CSV UTF-8" in refused.value.detail or "unpack it" in refused.value.detail


@pytest.mark.parametrize(
    ("cell", "urls"),
    [
        pytest.param("https://a/1,https://b/2", ["https://a/1", "https://b/2"], id="commas"),
        pytest.param("https://a/1; https://b/2", ["https://a/1", "https://b/2"], id="semicolons"),
        pytest.param("https://a/1|http://b/2", ["https://a/1", "http://b/2"], id="pipes"),
        pytest.param("\n https://a/1\r\n\nhttps://b/2\t", ["https://a/1", "https://b/2"], id="white space and lines"),
        pytest.param(" ,https://a/1,,https://b/2,;", ["https://a/1", "https://b/2"], id="empty items"),
        pytest.param("https://a/1,HTTPS://b/2", ["https://a/1", "HTTPS://b/2"], id="upper case"),
        pytest.param("https://a/1,https://a/1", ["https://a/1", "https://a/1"], id="the same URL twice"),
        pytest.param(
            "https://a/w_9,h_9/1.jpg,https://b/2", ["https://a/w_9,h_9/1.jpg", "https://b/2"], id="comma inside"
        ),
        pytest.param("https://a/1.jpg?crop=0,0,9,9", ["https://a/1.jpg?crop=0,0,9,9"], id="commas in a query"),
        pytest.param("https://a/x;y|z.jpg", ["https://a/x;y|z.jpg"], id="semicolon and pipe inside"),
        pytest.param("https://a/1.jpg;v=2", ["https://a/1.jpg;v=2"], id="parameter after the file name"),
        pytest.param("https://例え.jp/画像.jpg", ["https://例え.jp/画像.jpg"], id="not ASCII"),
        pytest.param("http://[::1]:8080/1", ["http://[::1]:8080/1"], id="IPv6"),
        pytest.param(
            "https://a/my red mug.jpg, https://b/2", ["https://a/my%20red%20mug.jpg", "https://b/2"], id="spaces"
        ),
        pytest.param("https://a/1.jpghttps://b/2", ["https://a/1.jpg", "https://b/2"], id="glued"),
        pytest.param("https://a/fetch/https://b/2.jpg", ["https://a/fetch/https://b/2.jpg"], id="nested in the path"),
        pytest.param("https://a/?u=https://b/2.jpg", ["https://a/?u=https://b/2.jpg"], id="nested in the query"),
    ],
)
def test_splits_the_url_cell_where_the_next_url_starts(cell: str, urls: list[str]) -> None:
    """Any separator is accepted, and a separator inside a URL is kept."""
    assert urls_of(cell) == urls
    assert faults_of(f'{HEADER}1,Mug,"{cell}"\n') == []


@pytest.mark.parametrize(
    ("cell", "bad"),
    [
        pytest.param("not-a-url", "not-a-url", id="a word"),
        pytest.param("https://a/1.jpg,not-a-url,https://b/2", "not-a-url", id="a word between URLs"),
        pytest.param("https://a/1, not-a-url", "not-a-url", id="a word after a space"),
        pytest.param("not-a-url;https://b/2", "not-a-url", id="a word before a URL"),
        pytest.param("https://a/1,ftp://x/y.jpg", "ftp://x/y.jpg", id="another scheme"),
        pytest.param("https://a/1,www.b.com/c.jpg", "www.b.com/c.jpg", id="no scheme"),
        pytest.param("https://a/1|//b.com/c.jpg", "//b.com/c.jpg", id="scheme-relative"),
        pytest.param("https://a/my picture", "picture", id="a space in a URL of no picture"),
        pytest.param("javascript:alert(1)", "javascript:alert(1)", id="javascript"),
        pytest.param("https://", "https://", id="no host"),
        pytest.param("https://../x", "https://../x", id="a host of dots"),
        pytest.param("https:///etc/passwd", "https:///etc/passwd", id="an empty host"),
        pytest.param("https://a:99999/", "https://a:99999/", id="port too great"),
        pytest.param("https://a:0/", "https://a:0/", id="port 0"),
        pytest.param("https://a:b/", "https://a:b/", id="port not a number"),
        pytest.param("https://[::1/", "https://[::1/", id="open bracket"),
        pytest.param("https://a\\@b/", "https://a\\@b/", id="backslash"),
        pytest.param("https://a/\u202egpj.1", "https://a/\u202egpj.1", id="right-to-left override"),
        pytest.param("https://a/\x01", "https://a/\x01", id="control character"),
        pytest.param("https://user:secret@a/", "https://user:secret@a/", id="a password"),
        pytest.param("https://a/" + "x" * 8192, "https://a/" + "x" * 8192, id="too long"),
    ],
)
def test_reports_each_item_that_is_not_a_url(cell: str, bad: str) -> None:
    """The error names the position of a bad item and quotes it without passwords; its neighbours are not affected."""
    (row,) = rows_of(f'{HEADER}1,Mug,"{cell}"\n')
    (error,) = row.errors
    assert (error.line, error.column, error.code) == (2, "Input Image Urls", "invalid_url")
    assert f"URL {row.urls.index(bad) + 1} " in error.detail
    assert "secret" not in error.detail
    assert len(error.detail) < 300


@pytest.mark.parametrize(
    ("header", "line", "name", "urls"),
    [
        pytest.param("#,Name,Images", f"1,Mug,{URL},https://b/2", "Mug", [URL, "https://b/2"], id="last column"),
        pytest.param("#,Images,Name", f"1,{URL},https://b/2,Mug", "Mug", [URL, "https://b/2"], id="middle column"),
        pytest.param("#,Images,Name", f"1,{URL},Mug,", "Mug", [URL], id="trailing comma, middle column"),
        pytest.param("#,Images,Name", f"1,{URL},https://b/2,Mug,,", "Mug", [URL, "https://b/2"], id="list and commas"),
        pytest.param("Images,#,Name", f"{URL},https://b/2,1,Mug", "Mug", [URL, "https://b/2"], id="first column"),
        pytest.param("#,Name,Images", f"1,Mug,{URL},,,", "Mug", [URL], id="trailing commas"),
        pytest.param("#,Name,Images,Note", f"1,Mug,{URL},https://b/2,", "Mug", [URL, "https://b/2"], id="blank note"),
        pytest.param("#,Name,Images,Note", f"1,Mug,{URL},hello", "Mug", [URL], id="another column"),
        pytest.param("#,Name,Images,Note", f"1,Mug,{URL}", "Mug", [URL], id="another column missing"),
        pytest.param("#,Name,Images", f'1, "Mug, red", "{URL}"', "Mug, red", [URL], id="spaces before quotes"),
    ],
)
def test_reads_surplus_cells_as_more_urls(header: str, line: str, name: str, urls: list[str]) -> None:
    """The URLs of an unquoted list belong to the URL column, wherever it is."""
    (row,) = rows_of(f"{header}\n{line}\n")
    assert (row.serial_number, row.product_name, list(row.urls), row.errors) == ("1", name, urls, ())


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param(f",Mug,{URL}\n", [(2, "S. No.", "empty_serial_number")], id="no serial number"),
        pytest.param(f"1, ,{URL}\n", [(2, "Product Name", "empty_product_name")], id="no name"),
        pytest.param("1,Mug,\n", [(2, "Input Image Urls", "no_urls")], id="no URL"),
        pytest.param("1,Mug\n", [(2, None, "too_few_fields")], id="a cell missing"),
        pytest.param(f"{'9' * 256},Mug,{URL}\n", [(2, "S. No.", "cell_too_long")], id="long serial number"),
        pytest.param(f"1,{'x' * 501},{URL}\n", [(2, "Product Name", "cell_too_long")], id="long name"),
        pytest.param(f"1,Mug,{f'{URL},' * 9000}\n", [(2, "Input Image Urls", "cell_too_long")], id="long list"),
        pytest.param(f"1,Mug,{'x' * 140_000}\n", [(2, None, "cell_too_long")], id="cell too long for csv.reader"),
        pytest.param(f'1,Mug,"{f"{URL} " * 6}"\n', [(2, "Input Image Urls", "too_many_images")], id="many URLs"),
        pytest.param(f'1,"Mug" red,{URL}\n', [(2, None, "stray_quote")], id="text after a quote"),
        pytest.param(f'1,"M"{"x" * 140_000},{URL}\n', [(2, None, "stray_quote")], id="much text after a quote"),
        pytest.param(f"1,M\0ug,{URL}\n", [(2, None, "nul_character")], id="NUL"),
        pytest.param(f'1,"M\0ug" red,{URL}\n', [(2, None, "stray_quote")], id="NUL and text after a quote"),
        pytest.param(
            ",,x y\n",
            [
                (2, "S. No.", "empty_serial_number"),
                (2, "Product Name", "empty_product_name"),
                (2, "Input Image Urls", "invalid_url"),
                (2, "Input Image Urls", "invalid_url"),
            ],
            id="all at once",
        ),
    ],
)
def test_reports_every_error_of_a_row_and_reads_on(text: str, faults: list[tuple[int, str | None, str]]) -> None:
    """The row is returned with its errors, and the next row is read normally."""
    *_, last = rows = rows_of(f"{HEADER}{text}last,Cup,{URL}\n")
    assert [(error.line, error.column, error.code) for error in rows[0].errors] == faults
    assert (last.row, last.line, last.serial_number, last.errors) == (2, 3, "last", ())


def test_names_the_first_line_of_a_duplicate_serial_number() -> None:
    """Serial numbers are compared as text, without spaces around them."""
    text = f"{HEADER}7,a,{URL}\n\n07,b,{URL}\n 7 ,c,{URL}\n7.,d,{URL}\na7,e,bad\na7,f,{URL}\n7,g,{URL}\n"
    errors = [error for row in rows_of(text) for error in row.errors if error.code == "duplicate_serial_number"]
    assert [(error.line, error.column) for error in errors] == [(5, "S. No."), (8, "S. No."), (9, "S. No.")]
    assert ["line 2" in errors[0].detail, "line 7" in errors[1].detail, "line 2" in errors[2].detail] == [True] * 3


@patient
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=3000))
@example([*range(10_000), *range(0, 10_000, 100)])
@example([*range(10_000, 0, -1), 5])
def test_finds_every_duplicate_serial_number_in_any_order(serials: list[int]) -> None:
    """In any order of the serial numbers, exactly the duplicate ones are errors."""
    first = {serial: place for place, serial in reversed(list(enumerate(serials)))}
    duplicate = [first[serial] < place for place, serial in enumerate(serials)]
    text = HEADER + "".join(f"{serial},Mug {row},{URL}\n" for row, serial in enumerate(serials))
    assert [bool(row.errors) for row in rows_of(text, CsvLimits(20_000, 5))] == duplicate


def test_numbers_rows_and_lines_as_an_editor_shows_them() -> None:
    """Blank lines and line breaks in cells count as lines; bad rows also count as rows."""
    text = f'\n{HEADER}\r\n1,"two\nlines",{URL}\r,,\n2,,{URL}\n\n"3","Mug","{URL}\n{URL}"\n4,Mug,{URL}'
    assert [(row.row, row.line, row.serial_number) for row in rows_of(text)] == [
        (1, 4, "1"),
        (2, 7, "2"),
        (3, 9, "3"),
        (4, 11, "4"),
    ]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(f"{HEADER}1,Café,{URL}\n2,".encode() + b"\xff," + URL.encode(), 3, id="utf-8, damaged"),
        pytest.param(
            "".join([HEADER, f"a,Café,{URL}\n", *(f"{n},Mug,{URL}\n" for n in range(9000))]).encode() + b"z,\xe9,u\n",
            9003,
            id="utf-8, damaged late",
        ),
        pytest.param(f'{HEADER}1,"Café\nm'.encode() + b'\xff",' + URL.encode(), 3, id="utf-8, second line of a row"),
        pytest.param(
            "".join([HEADER, f"a,Café,{URL}\n", *(f"{n},Mug,{URL}\n" for n in range(9000)), f"z,\x81,{URL}\n"]).encode(
                "latin-1"
            ),
            9003,
            id="windows-1252, a byte it does not use",
        ),
        pytest.param(f"{HEADER}1,a,{URL}\n2,b,{URL}".encode("utf-16")[:-1], 3, id="utf-16, cut in a character"),
        pytest.param(
            b"\xff\xfe" + f"{HEADER}1,a,{URL}\n2,\ud800,{URL}".encode("utf-16-le", "surrogatepass"),
            3,
            id="utf-16, lone surrogate",
        ),
    ],
)
def test_reports_the_line_of_bytes_that_are_not_text(data: bytes, line: int) -> None:
    """Damaged bytes are an error of their row, also late in the file."""
    assert faults_of(data, CsvLimits(max_rows=10_000, max_images_per_row=5)) == [(line, None, "undecodable")]


def test_keeps_text_as_it_is_written() -> None:
    """Numbers, formulas and control characters are read as text; only our own formula guard is removed."""
    names = ["=1+1", "-5", "@x", "a\x07b", "\u202eabc", "🦄", "'quoted'", 'say "hi"', "NULL", "<b>"]
    quoted = [name.replace('"', '""') for name in names]
    text = HEADER + "".join(f'00{n},"{name}",{URL}\n' for n, name in enumerate(quoted))
    rows = rows_of(text)
    assert [row.product_name for row in rows] == names
    assert [row.serial_number for row in rows] == [f"00{n}" for n in range(len(names))]
    assert rows_of(f"{HEADER}'-5,'=1+1,{URL}\n")[0][2:4] == ("-5", "=1+1")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("".join(f"{n},Mug,{URL}\n" for n in range(4)), 5, id="rows"),
        pytest.param(f"{GOOD}{'x' * 9}\n" * 2, 5, id="bad rows too"),
    ],
)
def test_refuses_a_file_with_too_many_rows(text: str, line: int) -> None:
    """Reading stops at the first row beyond the limit."""
    fault = refusal_of(HEADER + text, CsvLimits(max_rows=3, max_images_per_row=5))
    assert (fault.line, fault.code) == (line, "too_many_rows")


def test_counts_products_images_and_skipped_rows() -> None:
    """A scan counts only the images of good rows."""
    scan = scan_csv(read(f"{HEADER}1,a,{URL},{URL}\n2,,{URL}\n3,c,{URL}\n"))
    assert (scan.rows, scan.products, scan.images, scan.skipped_rows, scan.errors_truncated) == (3, 2, 3, 1, False)
    assert [error.line for error in scan.errors] == [3]


@pytest.mark.parametrize(("bad", "kept", "truncated"), [(99, 99, False), (100, 100, False), (101, 100, True)])
def test_keeps_the_first_hundred_errors(bad: int, kept: int, truncated: bool) -> None:
    """More errors only count as skipped rows, and the list is marked as truncated."""
    scan = scan_csv(read(HEADER + "".join(f"{n},Mug,\n" for n in range(bad))))
    assert (len(scan.errors), scan.errors_truncated, scan.skipped_rows) == (kept, truncated, bad)


@pytest.mark.parametrize(
    ("text", "skip_invalid", "accepted"),
    [
        pytest.param(GOOD, False, True, id="all good"),
        pytest.param(GOOD + "2,,\n", False, False, id="a bad row"),
        pytest.param(GOOD + "2,,\n", True, True, id="a bad row may be skipped"),
        pytest.param("2,,\n", True, False, id="no row is left"),
    ],
)
def test_accepts_a_file_with_bad_rows_only_if_they_may_be_skipped(
    text: str, skip_invalid: bool, accepted: bool
) -> None:
    """Skipping bad rows must leave at least one good one."""
    scan = scan_csv(read(HEADER + text))
    if accepted:
        require_valid(scan, skip_invalid=skip_invalid)
        return
    with pytest.raises(InvalidCsv, match=f"of {scan.rows} rows") as refused:
        require_valid(scan, skip_invalid=skip_invalid)
    assert refused.value.errors == list(scan.errors)


@pytest.mark.parametrize("make", [io.BytesIO, tempfile.SpooledTemporaryFile, tempfile.TemporaryFile])
def test_reads_a_stream_again_and_leaves_it_open(make: Callable[[], BinaryIO]) -> None:
    """The plan of a request reads the file that its upload scanned."""
    with make() as stream:
        stream.write((HEADER + GOOD).encode())
        first, again = (list(read_csv(stream, limits=LIMITS).rows) for _ in range(2))
        assert first == again != []
        assert not stream.closed


FRAGMENTS = st.sampled_from(
    [
        HEADER,
        GOOD,
        URL,
        ",",
        ";",
        "\t",
        "|",
        '"',
        '""',
        "\n",
        "\r",
        "\r\n",
        "'",
        "=",
        "\0",
        "é",
        "\ufeff",
        "\u2028",
        " ",
        "x" * 300,
    ]
)


@patient
@given(st.binary(max_size=300) | st.lists(FRAGMENTS, max_size=30).map(lambda parts: (HEADER + "".join(parts)).encode()))
@example((HEADER + 'a"b,"c"d,"e\n').encode())
@example(b"\xff\xfe\0")
def test_answers_any_bytes_with_rows_or_a_refusal(data: bytes) -> None:
    """Any bytes give rows or a refusal, and the rows are text that can be stored."""
    try:
        scan: Scan = scan_csv(read(data))
        rows = rows_of(data)
    except (InvalidCsv, UnsupportedFile):
        return
    assert len(rows) == scan.rows > 0
    for row in rows:
        cells = (row.serial_number, row.product_name, row.input_cell, *row.urls)
        assert not any("\0" in cell for cell in cells)
        "".join(cells).encode()


ITEMS = st.text(alphabet="ab1./:=,;| \n@", max_size=20) | st.sampled_from(
    [URL, "https://b/w_1,h_2.png", "ftp://c", "HTTP://D"]
)


@patient
@given(st.lists(ITEMS, max_size=6), st.sampled_from([",", ";", "|", " ", "\n"]))
def test_loses_no_character_of_the_url_cell(items: list[str], separator: str) -> None:
    """Every character other than a separator is in one of the items, in order; or a note says what is left out."""
    cell = separator.join(items)
    reading = read(f'{HEADER}1,Mug,"{cell}"\n', limits=CsvLimits(10, 1000))
    urls = next(reading.rows).urls
    kept = "".join(urls)
    if "remarks_left_out" in {note.code for note in reading.notes}:
        assert sum(url.count("://") for url in urls) == cell.count("://")
    else:
        assert [c for c in kept if c not in ",;|"] == [c for c in cell if c not in ",;| \n"]
