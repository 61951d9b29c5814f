"""Files in memory that encoders write to are used again, and never by two pictures at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import pytest

from imgproc.pipeline.images.encoders import scratch
from tests.support.forks import in_child


def put(body: bytes) -> bytes:
    """Write `body`, and return what is read back."""
    return scratch.written(lambda file: file.write(body))


@pytest.mark.parametrize("size", [0, 1, 5000, 3 * scratch.KEPT_BYTES])
def test_a_file_that_is_used_again_holds_nothing_of_before(size: int) -> None:
    """Also where the picture before was longer."""
    put(b"a" * (2 * scratch.KEPT_BYTES))
    assert put(b"b" * size) == b"b" * size
    assert put(b"c") == b"c"


def test_threads_share_no_file() -> None:
    """Each picture has a file of its own while it is written."""
    bodies = [bytes([number]) * (1000 + number) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(put, bodies)) == bodies


def test_a_failure_loses_its_file() -> None:
    """What it wrote is in no later picture."""

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scratch.written(fail)
    assert put(b"whole") == b"whole"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on Unix alone")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork in a process with threads
def test_a_forked_child_has_files_of_its_own() -> None:
    """It would share their positions with its parent."""

    def work() -> None:
        assert not scratch._free
        assert put(b"of the child") == b"of the child"

    put(b"of the parent")
    assert in_child(work) == 0
    assert put(b"of the parent again") == b"of the parent again"
