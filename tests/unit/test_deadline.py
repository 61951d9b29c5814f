"""`Deadline`: one thread shuts down late connections and no others, also in a forked child."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from imgproc.pipeline.http.deadline import Deadline
from tests.support.forks import in_child

Connect = Callable[[], list[socket.socket]]
LONG = 600.0
SHORT = 0.2  # on a busy machine too, a connection is watched before it expires


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A function that makes a connection and returns both ends."""
    with ExitStack() as stack:
        yield lambda: [stack.enter_context(end) for end in socket.socketpair()]


def reads_the_end(seconds: float, here: socket.socket) -> bool:
    """Whether a blocked read on a silent connection ends when the deadline expires."""
    with Deadline(seconds) as deadline:
        deadline.watch(here)
        return here.recv(1) == b"" and deadline.expired


def test_ends_a_read_when_the_deadline_expires(connect: Connect) -> None:
    """A longer deadline that was set earlier does not delay a shorter one."""
    with Deadline(LONG):
        assert reads_the_end(SHORT, connect()[0])


def test_a_deadline_can_be_shortened_and_not_extended(connect: Connect) -> None:
    """A read ends at the earlier time."""
    here, _ = connect()
    with Deadline(LONG) as deadline:
        deadline.watch(here)
        deadline.shorten(SHORT)
        deadline.shorten(LONG)
        assert deadline.remaining() <= SHORT
        assert here.recv(1) == b""


def test_leaves_a_connection_open_that_met_its_deadline(connect: Connect) -> None:
    """A deadline that was met shuts nothing down later."""
    here, there = connect()
    with Deadline(SHORT) as met:
        met.watch(here)
    assert reads_the_end(2 * SHORT, connect()[0])
    there.send(b"x")
    assert here.recv(1) == b"x"
    assert not met.expired


def test_all_deadlines_share_one_thread() -> None:
    """One thread for each deadline would cost more than the HTTP exchange."""
    with Deadline(LONG):
        before = threading.active_count()
        for _ in range(50):
            with Deadline(LONG):
                assert threading.active_count() == before


@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # Python 3.12 warns of a fork with threads, which is tested here
def test_works_in_a_forked_child(connect: Connect) -> None:
    """Workers are forked from a parent that may have used deadlines."""

    def work() -> None:
        assert reads_the_end(SHORT, connect()[0])

    with Deadline(LONG):
        assert in_child(work) == 0
