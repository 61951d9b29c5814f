"""The web process of the embedded stack with 500 slow clients of each kind: it serves all others without delay."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.support.slow_clients import Crowd, Kind, assert_serves_others, get, kinds, seconds_to_answer
from tests.support.stack import Stack, running_stack

COUNT = 500
BIG = 30_000_000  # bytes; more than all buffers hold
KINDS = kinds(b"/outputs/big.csv")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a large output."""
    folder = tmp_path_factory.mktemp("slow") / "var"
    with running_stack(folder, LOG_LEVEL="ERROR") as running:
        (folder / "objects/outputs/big.csv").write_bytes(bytes(range(250)) * (BIG // 250))
        yield running


@pytest.fixture(scope="module")
def alone(stack: Stack) -> float:
    """Seconds that a call takes without slow clients."""
    seconds_to_answer(stack.url)  # the first calls load and connect
    return seconds_to_answer(stack.url)


def port(stack: Stack) -> int:
    """The port that the stack listens on."""
    return urlsplit(stack.url).port or 0


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_do_not_delay_others(stack: Stack, alone: float, kind: str) -> None:
    """They leave any part of a call unfinished, and all come from one address."""
    assert_serves_others(Crowd(port(stack), KINDS[kind], COUNT), stack.url, alone=alone)


def test_too_many_connections_do_not_delay_others(stack: Stack, alone: float) -> None:
    """The server closes the oldest idle connections to accept new ones."""
    count = stack.settings().web_connections + COUNT
    assert_serves_others(Crowd(port(stack), KINDS["idle"], count), stack.url, alone=alone)
    (web,) = [process for process in stack.children("gunicorn") if not process.children()]
    assert web.num_fds() < count


def test_slow_readers_do_not_make_the_web_process_grow(stack: Stack) -> None:
    """Unread answers stay on disk."""
    (web,) = [process for process in stack.children("gunicorn") if not process.children()]
    before = web.memory_info().rss
    with Crowd(port(stack), KINDS["a range that is not read"], COUNT).around():
        seconds_to_answer(stack.url, rounds=1)
        assert web.memory_info().rss - before < 100 * 1024 * 1024


@pytest.mark.parametrize(
    ("asked", "first", "length"),
    [
        pytest.param("bytes=0-9", 0, 10, id="the first bytes"),
        pytest.param("bytes=29999000-", 29_999_000, 1000, id="from a byte to the end"),
        pytest.param("bytes=-7", BIG - 7, 7, id="the last bytes"),
        pytest.param("bytes=5-20000004", 5, 20_000_000, id="most of it"),
    ],
)
def test_serves_exactly_the_requested_range(stack: Stack, asked: str, first: int, length: int) -> None:
    """The connection can be used again afterwards."""
    whole = bytes(range(250)) * (BIG // 250)
    with requests.Session() as session:
        for _ in range(2):
            part = session.get(f"{stack.url}/outputs/big.csv", headers={"Range": asked}, timeout=60)
            assert (part.status_code, part.content == whole[first : first + length]) == (206, True)
            assert part.headers["Content-Range"] == f"bytes {first}-{first + length - 1}/{BIG}"


def test_connections_start_no_threads(stack: Stack) -> None:
    """The number of threads stays the same."""
    (web,) = [process for process in stack.children("gunicorn") if not process.children()]
    before = web.num_threads()
    with Crowd(port(stack), Kind(get(b"/healthz")), COUNT).around():
        assert psutil.Process(web.pid).num_threads() == before
