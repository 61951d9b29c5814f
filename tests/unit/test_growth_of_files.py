"""Every parser of an uploaded file takes linear time, for any bytes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest

from imgproc.core.errors import InvalidInput
from imgproc.pipeline.storage.object_keys import slugify
from imgproc.pipeline.table.cells import value
from imgproc.pipeline.table.columns import find_columns
from imgproc.pipeline.table.dialect import find_dialect
from imgproc.pipeline.table.encodings import find_encoding
from imgproc.pipeline.table.formulas import guard
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.read import CsvLimits, read_csv, scan_csv
from imgproc.pipeline.table.urls import parse_urls
from tests.unit.linear import assert_linear

pytestmark = pytest.mark.exhaustive

HEADER = b"S. No.,Product Name,Input Image Urls\n"
LIMITS = CsvLimits(max_rows=1_000_000, max_images_per_row=50)
MARKS = "a" + "\u0300" * 50 + "\u0316" * 50  # marks in the wrong order, which Unicode normalization sorts


def scan(data: bytes) -> None:
    """Read a whole file, or up to the error that refuses it."""
    with contextlib.suppress(InvalidInput):
        scan_csv(read_csv(io.BytesIO(data), limits=LIMITS))


def detect(data: bytes) -> None:
    """Detect the encoding."""
    with contextlib.suppress(InvalidInput):
        find_encoding(io.BytesIO(data), choice=None, notes=Notes())


def find_in_header(header: list[str]) -> None:
    """Find our columns."""
    with contextlib.suppress(InvalidInput):
        find_columns(header, [], line=1, notes=Notes())


def find_in_text(text: str) -> None:
    """Find the delimiter and the header."""
    with contextlib.suppress(InvalidInput):
        find_dialect(text[:65536], notes=Notes())


def rows(row: bytes, *, head: bytes = HEADER) -> Callable[[int], bytes]:
    """A file of so many equal rows."""
    return lambda n: head + row * n


def numbered(row: str) -> Callable[[int], bytes]:
    """A file of so many rows with rising serial numbers."""
    return lambda n: HEADER + "".join(f"{number}{row}\n" for number in range(1, n + 1)).encode()


FILES: dict[str, tuple[Callable[[int], bytes], int]] = {
    # the header
    "columns": (lambda n: HEADER[:-1] + b",x" * n + b"\n1,Mug,http://a/b" + b"," * n + b"\n", 20_000),
    "columns without a name": (lambda n: HEADER[:-1] + b"," * n + b"\n1,Mug,http://a/b" + b"," * n + b"\n", 40_000),
    "a repeated column": (lambda n: b"Name," * n + b"\n1,Mug,http://a/b\n", 12_000),
    "a header cell of combining marks": (lambda n: ("a" + "\u0300" * n + "\u0316" * n).encode() + b"," + HEADER, 4000),
    "a header of long cells": (lambda n: b",".join([b"x" * 1000] * n) + b"," + HEADER, 50),
    "a header over many lines": (lambda n: b'"' + b"\n" * n + b'",' + HEADER, 2000),
    "a header cell of spaces": (lambda n: b" " * n + b"Name," + HEADER, 25_000),
    "blank lines before the header": (lambda n: b"\n" * n + HEADER, 100_000),
    "blank records before the header": (lambda n: b",,\n" * n + HEADER, 100_000),
    "every separator at once": (lambda n: b",;|\t" * n + b"\n" + HEADER, 10_000),
    # rows
    "a row of commas": (lambda n: HEADER + b"," * n + b"\n", 200_000),
    "rows of commas": (rows(b"," * 50_000 + b"\n"), 4),
    "plain rows": (numbered(",Mug,http://a.example/1.jpg"), 10_000),
    "falling serial numbers": (lambda n: HEADER + b"".join(b"%d,Mug,http://a/1\n" % k for k in range(n, 0, -1)), 5000),
    "a repeated row": (rows(b"1,Mug,http://a/1\n"), 5000),
    "blank rows": (rows(b"\n"), 50_000),
    "rows of commas alone": (rows(b",,\n"), 20_000),
    "rows of one cell": (rows(b"x\n"), 5000),
    "rows after a bad one": (lambda n: HEADER + b"x\n" + b"1,Mug,http://a/1\n" * n, 5000),
    "alternating line ends": (rows(b"1,Mug,http://a/1\n2,Mug,http://a/2\r3,Mug,http://a/3\r\n"), 2000),
    "carriage returns": (rows(b"\r"), 50_000),
    "wide rows": (lambda n: HEADER[:-1] + b",x" * 900 + b"\n" + (b"1,Mug,http://a/1" + b",y" * 900 + b"\n") * n, 60),
    "the header again": (lambda n: HEADER + HEADER * n, 5000),
    "rulers": (lambda n: HEADER + b"---,---,---\n" * n, 5000),
    "comments of a dump": (lambda n: b"/*x*/ " * n + HEADER, 20_000),
    # cells
    "a cell without an end": (lambda n: HEADER + b'1,"' + b"x" * n, 200_000),
    "a quoted cell of lines": (lambda n: HEADER + b'1,"' + b"a\n" * n + b'",http://a/1\n', 20_000),
    "cells of quotes": (rows(b'1,"' + b'""' * 1000 + b'",http://a/1\n'), 100),
    "lone quotes": (rows(b'1,"a"b,http://a/1\n'), 5000),
    "lone quotes over lines": (rows(b'1,"a\n\n\n\n"b,http://a/1\n'), 2000),
    "quotes alone": (lambda n: HEADER + b'"' * n, 200_000),
    "a quote that is open in every other row": (rows(b'1,"Mug,http://a/1\n'), 5000),
    "names of a hundred kilobytes": (rows(b"1," + b"x" * 100_000 + b",http://a/1\n"), 10),
    "serial numbers of a hundred kilobytes": (rows(b"1" * 100_000 + b",Mug,http://a/1\n"), 10),
    "names of combining marks": (numbered(f",{MARKS},http://a/1"), 1000),
    "names of apostrophes": (numbered("," + "'" * 400 + "x,http://a/1"), 1000),
    "URL cells of semicolons": (rows(b"1,Mug," + b";" * 1000 + b"\n"), 100),
    "URL cells of words": (rows(b"1,Mug,\"" + b"x " * 1000 + b'"\n'), 100),
    "URL cells glued by semicolons": (rows(b'1,Mug,"http://a/' + b"x;" * 50_000 + b'"\n'), 2),
    "URL cells that are plain but for their end": (rows(b'1,Mug,"' + b"http://a/1," * 5000 + b' "\n'), 4),
    "URL cells of one long host": (rows(b"1,Mug,http://" + b"a." * 60_000 + b"\xff\n"), 2),
    "URL cells with hosts to normalize": (rows(b"1,Mug,http://" + MARKS.encode() + b"/\n"), 1000),
    "URL cells of digits": (rows(b"1,Mug,http://a:" + b"9" * 2000 + b"/\n"), 500),
    # encodings
    "bytes that are not text": (rows(b"1,Mug,http://a/" + b"\xff" * 50 + b"\n"), 4000),
    "bytes that are not text, from the first row on": (rows(b"\x81\x8d" * 100 + b"\n"), 2000),
    "NULs": (lambda n: HEADER + b"1,Mug,http://a/1\n" * 5000 + b"a\0\n" * n, 10_000),
    "NULs in a quoted cell": (lambda n: HEADER + b"1,Mug,http://a/1\n" * 5000 + b'2,"' + b"aaaaaaaaaa\0\n" * n, 5000),
    "half surrogates": (lambda n: b"\xff\xfe" + b"\x00\xd8\n\0" * n, 20_000),
    "Shift JIS": (lambda n: HEADER + "1,赤いカップ,http://a/1\n".encode("cp932") * n, 4000),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_reading_a_file_takes_time_in_proportion_to_its_bytes(name: str) -> None:
    """The time of a whole scan, with bad rows skipped, is linear."""
    make, n = FILES[name]
    assert_linear(make, scan, n)


ENCODINGS: dict[str, Callable[[int], bytes]] = {
    "no UTF-8 at all": lambda n: b"\xe9" * n,
    "every high byte": lambda n: bytes(range(128, 256)) * (n // 128),
    "high bytes on lines": lambda n: b"\xe9,\n" * (n // 3),
    "one high byte at the end": lambda n: b"a" * n + b"\xe9",
    "repeated half characters": lambda n: b"\xe2\x82\n" * (n // 3),
    "URLs between high bytes": lambda n: b"\xe9http://a" * (n // 9),
    "UTF-8 all along": lambda n: "é".encode() * (n // 2),
    "escapes of ISO 2022": lambda n: b"\x1b$B\x24\x22\x1b(B" * (n // 8) + b"\xe9",
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_detecting_an_encoding_takes_time_in_proportion_to_the_bytes(name: str) -> None:
    """Detection reads all bytes, but scores only a sample by its words."""
    assert_linear(ENCODINGS[name], detect, 250_000)


TEXTS: dict[str, Callable[[int], str]] = {
    "marks in the wrong order": lambda n: "a" + "\u0300" * (n // 2) + "\u0316" * (n // 2),
    "white space": lambda n: " " * n + "x",
    "apostrophes": lambda n: "'" * n + "x",
    "apostrophes and white space": lambda n: "' " * (n // 2) + "x",
    "invisible characters": lambda n: "\u200b\ufeff\u00ad" * (n // 3) + "x",
    "separators": lambda n: ",;|" * (n // 3),
    "a host": lambda n: "http://" + "a" * n + "\u200b",
    "hosts": lambda n: "http://a.b," * (n // 11) + "\u200b",
    "schemes": lambda n: "http://" * (n // 7),
    "glued": lambda n: "http://a/" + "x;" * (n // 2),
    "glued by an equals sign": lambda n: "http://a/1.jpg" + ";=" * (n // 2),
    "numbers of a list": lambda n: "1. " * (n // 3) + "http://a",
    "signs between URLs": lambda n: "http://a/1.jpg+" * (n // 15),
    "signs after a picture": lambda n: "http://a/1.jpg\u200b" + ".jpg**" * (n // 6),
    "words before URLs": lambda n: "front: http://a/1," * (n // 18),
    "titles of pictures": lambda n: "http://a/1.jpg" + " ! alt : x" * (n // 10),
    "line breaks of two characters": lambda n: "\\n" * (n // 2) + "x",
    "CSS without an end": lambda n: "a" * n + "url(",
    "tags with white space": lambda n: '<img src="http://a' + " " * n + '">',
    "formulas without an end": lambda n: "=" + 'IMAGE("http://a' * (n // 15),
    "entities": lambda n: "&nbsp;" * (n // 6),
    "spaces in schemes": lambda n: "http : // " * (n // 10),
    "labels with equals signs": lambda n: "front=http://a/1;" * (n // 17),
    "brackets beside URLs": lambda n: "http://a " + "(x " * (n // 3),
    "labels of URLs": lambda n: "Product Image URL: http://a/1|" * (n // 30),
    "digits": lambda n: "http://a:" + "9" * n,
    "brackets": lambda n: "http://[" + ":" * n,
    "dots": lambda n: "." * n,
    "hyphens": lambda n: "-" * n + "x",
    "letters": lambda n: "a" * n,
    "full-width letters": lambda n: "\uff21" * n,
}
PARSERS: dict[str, Callable[[str], object]] = {
    "the URL cell": lambda text: parse_urls(text, at_most=10**9),
    "the delimiter": find_in_text,
    "a column's name": lambda text: find_in_header([text, "x"]),
    "the guard": guard,
    "a guarded cell": lambda text: value("'" + text),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("parser", PARSERS)
def test_reading_a_cell_takes_time_in_proportion_to_its_characters(parser: str, name: str) -> None:
    """Each parser of a cell alone, with cells longer than the reader accepts."""
    assert_linear(TEXTS[name], PARSERS[parser], 50_000 if parser != "the delimiter" else 16_000)


@pytest.mark.parametrize("name", TEXTS)
def test_a_slug_of_the_longest_name_is_short(name: str) -> None:
    """Normalization is not linear, but the limit on names bounds its time."""
    slug = slugify(TEXTS[name](500))
    assert 0 < len(slug) <= 60
