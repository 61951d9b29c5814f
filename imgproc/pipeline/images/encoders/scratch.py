"""Files in memory for encoders that hold the GIL unless they write to a file descriptor.

A new file for each picture would take a sixth of the time to encode a small one. So files are used again.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from typing import IO

KEPT_BYTES = 1024 * 1024  # of memory that a file keeps until it is used again

_free: list[int] = []


def _forget() -> None:
    """Close the files in a forked child: it shares their positions with its parent."""
    while _free:
        os.close(_free.pop())


os.register_at_fork(after_in_child=_forget)


def written(write: Callable[[IO[bytes]], object]) -> bytes:
    """The bytes that `write` writes to an empty file with a file descriptor."""
    number = _take()
    try:
        with open(number, "wb", buffering=0, closefd=False) as file:
            write(file)
        size = os.lseek(number, 0, os.SEEK_CUR)
        body = os.pread(number, size, 0)
        if size > KEPT_BYTES:
            os.ftruncate(number, 0)
    except BaseException:
        os.close(number)
        raise
    _free.append(number)
    return body


def _take() -> int:
    """A file that no other thread uses."""
    try:
        number = _free.pop()
    except IndexError:
        return _make()
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _make() -> int:
    if sys.platform == "linux":
        return os.memfd_create("rendition")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
