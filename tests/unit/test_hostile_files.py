"""Files of 100 MiB that are made to exhaust the reader: each is refused with its code, in the memory of a few rows."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgproc.core.errors import InvalidCsv, InvalidInput, InvalidOption
from imgproc.pipeline.images.compress import CompressOptions
from imgproc.pipeline.table.read import CsvLimits, read_csv, require_valid, scan_csv

pytestmark = pytest.mark.exhaustive

MIB = 1024 * 1024
SIZE = 100 * MIB
HEADER = b"S. No.,Product Name,Input Image Urls\n"
PLAIN = b"".join(b"%d,Mug,http://a.example/1.jpg\n" % number for number in range(1, 4001))
FORMATS = ("jpeg", "webp", "avif", "png", "keep")
LIMITS = CsvLimits(max_rows=1_000_000, max_images_per_row=50)


class Endless(io.RawIOBase):
    """A file of 100 MiB made of a head and a repeated piece; it is not held in memory."""

    def __init__(self, head: bytes, piece: bytes, *, size: int = SIZE) -> None:
        self._size = size
        self._head, self._piece, self._position = head, piece * max(1, 65536 // len(piece)), 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read the rest of the head, or of a piece, from the position."""
        if self._position < len(self._head):
            found = self._head[self._position :]
        else:
            start = (self._position - len(self._head)) % len(self._piece)
            found = self._piece[start:]
        found = found[: min(len(buffer), max(0, self._size - self._position))]
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)


CASES = {
    "one line": (HEADER + b"1,Mug,http://a.example/", b"x", "row_too_long"),
    "one line without a header": (b"", b"x", "row_too_long"),
    "a quote never closed": (HEADER + b'1,"Mug,\n', b"2,Mug,http://a.example/2.jpg\n", "unterminated_quote"),
    "a quote never closed, in one line": (HEADER + b'1,"', b"x", "row_too_long"),
    "NULs": (HEADER, b"\0", "unsupported_file_type"),
    "NULs after a good row": (HEADER + PLAIN, b"\0", "row_too_long"),
    "lone carriage returns": (HEADER, b"\r", "no_rows"),
    "newlines": (HEADER, b"\n", "no_rows"),
    "commas": (HEADER, b",", "row_too_long"),
    "columns": (HEADER[:-1] + b",x" * 50_000 + b"\n", b"1,Mug,http://a.example/1.jpg\n", "too_many_columns"),
    "columns without a name, then one with": (HEADER[:-1] + b"," * 5000 + b"x\n", b"\n", "too_many_columns"),
    "blank lines and no header": (b"", b"\n", "empty_file"),
    "blank records and no header": (b"", b",,;;\t\n", "empty_file"),
    "rows of commas": (HEADER, b"," * 99_999 + b"\n", "no_rows"),
    "bad rows": (HEADER, b"x\n", "too_few_fields"),
    "bad URLs": (HEADER, b'1,Mug,"' + b"x;" * 49 + b'"\n', "invalid_url"),
    "lone quotes": (HEADER, b'1,"a"b,c\n', "stray_quote"),
    "names of a megabyte": (HEADER, b"1," + b"x" * 1_000_000 + b",http://a.example/1.jpg\n", "cell_too_long"),
    "serial numbers of a hundred kilobytes": (HEADER, b"1" * 100_000 + b",Mug,http://a.example/\n", "cell_too_long"),
    "a quoted cell of short lines": (HEADER + b'1,"', b"a\n", "unterminated_quote"),
    "NULs on short lines of a quoted cell": (
        HEADER + PLAIN + b'1,"',
        b"aaaaaaaaaaaaaaaaaaaa\0\n",
        "unterminated_quote",
    ),
    "bytes that are not text, in rows": (HEADER + PLAIN, b"\xff" * 30 + b"\n", "too_few_fields"),
    "a repeated header": (HEADER, HEADER, "invalid_url"),
    "quotes": (HEADER, b'"', "row_too_long"),
    "a header of commas": (b"", b",", "too_many_columns"),
    "a header of quotes": (b"", b'"', "row_too_long"),
    "spaces": (HEADER, b" ", "row_too_long"),
    "URLs in one cell": (HEADER + b'1,Mug,"', b"http://a.example/1.jpg,", "row_too_long"),
    "half surrogates": (b"\xff\xfe", b"\x00\xd8", "row_too_long"),
    "bytes that are not UTF-8": (HEADER, b"\xe9", "row_too_long"),
}


@pytest.fixture
def traced() -> Iterator[None]:
    """Count the memory that Python allocates."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("name", CASES)
def test_refuses_a_file_made_to_exhaust_the_reader(name: str) -> None:
    """The error has the right code, and the peak memory is below 12 MiB."""
    head, piece, code = CASES[name]
    with io.BufferedReader(Endless(head, piece)) as stream, pytest.raises(InvalidInput) as caught:
        require_valid(scan_csv(read_csv(stream, limits=LIMITS), stop_at_errors=True), skip_invalid=False)
    error = caught.value
    assert (error.errors[0].code if isinstance(error, InvalidCsv) else error.code) == code
    assert tracemalloc.get_traced_memory()[1] < 12 * MIB


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("row", "rows"),
    [
        pytest.param(b"x\n", 1000, id="too few cells"),
        pytest.param(b'1,Mug,"' + b"x;" * 40 + b'"\n', 250, id="bad URLs"),
        pytest.param(b"1,," + b"x" * 1000 + b"\n", 300, id="long cells"),
    ],
)
def test_skips_any_number_of_bad_rows_in_the_memory_of_a_few(row: bytes, rows: int) -> None:
    """Only counts and the first hundred errors are kept."""
    peaks = []
    head = HEADER + b"1,Mug,http://a.example/1.jpg\n"
    for number in (rows, 4 * rows):
        with io.BufferedReader(Endless(head, row, size=len(head) + number * len(row))) as stream:
            tracemalloc.reset_peak()
            scan = scan_csv(read_csv(stream, limits=LIMITS))
        assert (scan.skipped_rows, len(scan.errors), scan.errors_truncated, scan.products) == (number, 100, True, 1)
        peaks.append(tracemalloc.get_traced_memory()[1])
    assert peaks[1] < peaks[0] + MIB / 2  # 750 more rows would take 2 MB if they were kept


@pytest.mark.parametrize("row", [b"x\n", b"1,Mug,http://a.example/1.jpg\n"], ids=["bad rows", "the same row"])
def test_stops_when_there_are_too_many_errors_to_list(row: bytes) -> None:
    """A file that will be refused is not read to its end."""
    with io.BufferedReader(Endless(HEADER, row)) as stream:
        scan = scan_csv(read_csv(stream, limits=LIMITS), stop_at_errors=True)
        assert stream.tell() < MIB
    assert (scan.stopped, scan.errors_truncated, len(scan.errors)) == (True, True, 100)
    assert scan.rows <= 153  # up to 50 of them are one product
    with pytest.raises(
        InvalidCsv, match=r"of the first 1[05][0-9] rows cannot be used, and reading stopped there"
    ) as refused:
        require_valid(scan, skip_invalid=False)
    assert refused.value.truncated


@given(
    quality=st.integers() | st.integers(-5, 105),
    scale=st.floats() | st.floats(-0.5, 1.5),
    image_format=st.text() | st.sampled_from([*FORMATS, "JPEG", "gif"]),
)
def test_options_are_within_bounds_or_refused_by_name(quality: int, scale: float, image_format: str) -> None:
    """Every value is either accepted, or refused with the name of its option."""
    good = {"quality": 1 <= quality <= 95, "scale": 0 < scale <= 1, "format": image_format in FORMATS}
    with nullcontext() if all(good.values()) else pytest.raises(InvalidOption) as caught:
        CompressOptions(quality=quality, scale=scale, format=image_format)
    assert caught is None or not good[caught.value.option]
