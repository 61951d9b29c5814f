"""The HTTP server with a single thread: a client that does not read its answer does not delay another client."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from imgproc.core.config import load_settings
from imgproc.server.channel import Patience
from imgproc.server.gunicorn_worker import _adjustments
from imgproc.server.listener import Limits, Server

PIECES = 40  # of a mebibyte; more than the buffers of a connection hold
LIMITS = Limits(
    connections=8,
    most_connections=10,
    body_bytes=1,
    patience=Patience(seconds=30, bytes_per_second=1, idle_seconds=30),
)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Answer `/long` in many pieces, as for a private CSV, and other paths in one."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    pieces = PIECES if environ["PATH_INFO"] == "/long" else 0
    return iter([b"0" * 1024 * 1024] * pieces + [b"end"])


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server with one thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    dispatcher, sockets, ended = ThreadedTaskDispatcher(), dict[int, Any](), threading.Event()
    dispatcher.set_thread_count(1)
    Server(
        app,
        limits=LIMITS,
        channels={},
        map=sockets,
        _sock=listener,
        dispatcher=dispatcher,
        adj=_adjustments(load_settings()),
        sockinfo=(listener.family, listener.type, 0, None),
    )

    def serve() -> None:
        while not ended.is_set():
            wasyncore.poll2(0.1, sockets)

    loop = threading.Thread(target=serve)
    loop.start()
    yield listener.getsockname()[1]
    ended.set()
    loop.join()
    wasyncore.close_all(sockets)
    dispatcher.shutdown(timeout=5)


def ask(port: int, path: str) -> socket.socket:
    """Send one request; the connection."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return client


def test_a_long_answer_that_is_not_read_holds_no_thread(port: int) -> None:
    """It is buffered on disk until the client reads it or is cut off for being too slow."""
    with ask(port, "/long") as slow, slow.makefile("rb") as answer, ask(port, "/short") as other:
        slow_start = answer.readline()
        assert other.makefile("rb").read().endswith(b"end\r\n0\r\n\r\n")
        assert slow_start == b"HTTP/1.1 200 OK\r\n"
        assert len(answer.read()) > PIECES * 1024 * 1024
