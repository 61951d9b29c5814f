"""Addresses on loopback where nothing answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from imgproc.embedded.ports import LOOPBACK


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that refuses every connection; it stays ours, as it is bound and does not listen."""
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        yield bound.getsockname()[1]


@contextmanager
def refusing_address() -> Iterator[str]:
    """The base URL of a `refusing_port`."""
    with refusing_port() as port:
        yield f"http://{LOOPBACK}:{port}"


@contextmanager
def black_hole() -> Iterator[str]:
    """The base URL of a port that drops every connection attempt, as an unroutable address does (Linux).

    The kernel drops a SYN where the queue of unaccepted connections is full.
    """
    with ExitStack() as cleanup:
        full = cleanup.enter_context(socket.socket())
        full.bind((LOOPBACK, 0))
        full.listen(0)
        cleanup.enter_context(socket.create_connection(full.getsockname()))
        yield f"http://{LOOPBACK}:{full.getsockname()[1]}"
