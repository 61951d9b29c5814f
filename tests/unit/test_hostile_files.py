"""Files of 100 MiB made to exhaust the reader: each is refused by name, in the memory of a few rows."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgproc.errors import InvalidCsv, InvalidInput, InvalidOption
from imgproc.pipeline.compress import CompressOptions
from imgproc.pipeline.read_csv import CsvLimits, read_csv, scan_csv

MIB = 1024 * 1024
SIZE = 100 * MIB
HEADER = b"S. No.,Product Name,Input Image Urls\n"
FORMATS = ("jpeg", "webp", "avif", "png", "keep")
LIMITS = CsvLimits(max_rows=1_000_000, max_images_per_row=50)


class Endless(io.RawIOBase):
    """A head, then a piece again and again up to 100 MiB, of which nothing is in memory."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self._head, self._piece, self._place = head, piece * max(1, 65536 // len(piece)), 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """To any place."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: SIZE}[whence]
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def readinto(self, buffer: memoryview) -> int:
        """As much of the head or of the pieces as there is from here."""
        if self._place < len(self._head):
            found = self._head[self._place :]
        else:
            start = (self._place - len(self._head)) % len(self._piece)
            found = self._piece[start:]
        found = found[: min(len(buffer), max(0, SIZE - self._place))]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)


CASES = {
    "one line": (HEADER + b"1,Mug,http://a.example/", b"x", "row_too_long"),
    "one line without a header": (b"", b"x", "row_too_long"),
    "a quote never closed": (HEADER + b'1,"Mug,\n', b"2,Mug,http://a.example/2.jpg\n", "unterminated_quote"),
    "a quote never closed, in one line": (HEADER + b'1,"', b"x", "row_too_long"),
    "NULs": (HEADER, b"\0", "unsupported_file_type"),
    "NULs after a good row": (HEADER + b"1,Mug,http://a.example/1.jpg\n" * 9000, b"\0", "row_too_long"),
    "lone carriage returns": (HEADER, b"\r", "too_many_rows"),
    "newlines": (HEADER, b"\n", "too_many_rows"),
    "commas": (HEADER, b",", "row_too_long"),
    "quotes": (HEADER, b'"', "row_too_long"),
    "a header of commas": (b"", b",", "row_too_long"),
    "a header of quotes": (b"", b'"', "row_too_long"),
    "spaces": (HEADER, b" ", "row_too_long"),
    "URLs in one cell": (HEADER + b'1,Mug,"', b"http://a.example/1.jpg,", "row_too_long"),
    "half surrogates": (b"\xff\xfe", b"\x00\xd8", "row_too_long"),
    "bytes that are no UTF-8": (HEADER, b"\xe9", "row_too_long"),
}


@pytest.fixture
def traced() -> Iterator[None]:
    """Python's memory is counted."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("name", CASES)
def test_refuses_a_file_made_to_exhaust_us(name: str) -> None:
    """With the code of its fault, and no more than 8 MiB at any time."""
    head, piece, code = CASES[name]
    with io.BufferedReader(Endless(head, piece)) as stream, pytest.raises(InvalidInput) as caught:
        scan_csv(read_csv(stream, limits=LIMITS))
    error = caught.value
    assert (error.errors[0].code if isinstance(error, InvalidCsv) else error.code) == code
    assert tracemalloc.get_traced_memory()[1] < 8 * MIB


@given(
    quality=st.integers() | st.integers(-5, 105),
    scale=st.floats() | st.floats(-0.5, 1.5),
    image_format=st.text() | st.sampled_from([*FORMATS, "JPEG", "gif"]),
)
def test_options_are_within_bounds_or_refused_by_name(quality: int, scale: float, image_format: str) -> None:
    """Nothing else comes of any values."""
    good = {"quality": 1 <= quality <= 95, "scale": 0 < scale <= 1, "format": image_format in FORMATS}
    with nullcontext() if all(good.values()) else pytest.raises(InvalidOption) as caught:
        CompressOptions(quality=quality, scale=scale, format=image_format)
    assert caught is None or not good[caught.value.option]
