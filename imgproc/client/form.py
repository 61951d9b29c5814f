"""The form of an upload, sent in pieces: a file of any size takes little memory, and can be sent again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any

from urllib3.fields import RequestField

from imgproc.client.api_errors import ApiError

PIECE = 256 * 1024  # bytes
UNNAMED = "upload.csv"

Progress = Callable[[int, int], None]


class Form:
    """A `multipart/form-data` body (RFC 7578) with the options and the file, as an iterable with a length.

    `on_progress` is called with the bytes sent so far and the length of the body.
    """

    def __init__(
        self, file: IO[bytes], *, filename: str, options: Mapping[str, str], on_progress: Progress | None = None
    ) -> None:
        self._file, self._start = file, file.tell()
        self._size = file.seek(0, os.SEEK_END) - self._start
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [_part(boundary, name, value) for name, value in options.items()]
        self._head = b"".join(parts) + _head(boundary, "file", filename)
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._on_progress = on_progress or (lambda _sent, _size: None)

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        """The body from its beginning.

        Raises:
            ApiError: `file_changed`: the file became shorter meanwhile.
        """
        self._file.seek(self._start)
        yield self._head
        left = self._size
        while left:
            piece = self._file.read(min(PIECE, left))
            if not piece:
                raise ApiError("The file became shorter while it was sent; send it again.", code="file_changed")
            left -= len(piece)
            yield piece
            self._on_progress(self._size - left, self._size)
        yield self._tail


@contextmanager
def opened(file: str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    """The file, open and seekable, and its name; a pipe is copied to a temporary file first.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(file, (str, os.PathLike)):
        with Path(file).open("rb") as content, _seekable(content) as whole:
            yield whole, Path(file).name if whole is content else UNNAMED
        return
    name = getattr(file, "name", None)
    with _seekable(file) as whole:
        yield whole, Path(name).name if isinstance(name, str) and not name.startswith("<") else UNNAMED


@contextmanager
def _seekable(file: IO[bytes]) -> Iterator[IO[bytes]]:
    if file.seekable() and _is_regular(file):
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy, PIECE)
        copy.seek(0)
        yield copy


def _is_regular(file: IO[bytes]) -> bool:
    """False for terminals and pipes; True for files, also those in memory."""
    try:
        return S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return True


def parts_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The options as parts: names in snake case are those of the API in camel case; None and blank ones are left out.

    A mapping or a list becomes JSON, as `columns` takes it.
    """
    return {_camel(name): _text(value) for name, value in options.items() if value not in (None, "")}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _part(boundary: str, name: str, value: str) -> bytes:
    return _head(boundary, name) + _sendable(value).encode() + b"\r\n"


def _head(boundary: str, name: str, filename: str | None = None) -> bytes:
    field = RequestField(name, b"", filename and _sendable(filename))
    field.make_multipart()
    return f"--{boundary}\r\n{field.render_headers()}".encode()


def _sendable(text: str) -> str:
    """The text, with `?` for bytes of a file's name that are no text."""
    return text.encode(errors="replace").decode()
