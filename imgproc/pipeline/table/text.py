"""The bytes of a CSV -> its text, with bytes that are no text marked."""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence
from typing import BinaryIO

from imgproc.core.errors import InvalidCsv, RowError

# Strict decoders never yield a lone surrogate, so this one always marks bytes that are not text.
UNDECODABLE = "\udfff"
MOST_SHOWN = 300  # characters of a header in a message


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("imgproc.mark", _mark_undecodable)


def invalid_csv(line: int, column: str | None, code: str, detail: str, *, header: Sequence[str] = ()) -> InvalidCsv:
    """The error of a whole file, with a single fault. `header` comes with a wrong choice of columns."""
    error = InvalidCsv(detail, errors=[RowError(line, column, code, detail)])
    error.header = tuple(header)
    return error


def shown(cells: Sequence[str]) -> str:
    """The cells of a header as a message shows them."""
    line = ", ".join(cells)
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]} …"


class _Borrowed(io.RawIOBase):
    """Wraps a stream for TextIOWrapper, which closes its own and needs methods SpooledTemporaryFile lacks in 3.10."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io always passes a memoryview
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def open_text(stream: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Open `stream` as text from its start; line ends are kept, and undecodable bytes become `UNDECODABLE`."""
    stream.seek(0)
    return io.TextIOWrapper(io.BufferedReader(_Borrowed(stream)), encoding, errors="imgproc.mark", newline="")
