"""`Deadline`: one thread ends what is late and leaves the rest alone, in a forked child too."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from imgproc.pipeline.http.deadline import Deadline

Connect = Callable[[], list[socket.socket]]
LONG = 600.0
SHORT = 0.05


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes connections, of which both ends are given."""
    with ExitStack() as stack:
        yield lambda: [stack.enter_context(end) for end in socket.socketpair()]


def reads_the_end(seconds: float, here: socket.socket) -> bool:
    """Whether a reader of a silent connection is woken because the time is up."""
    with Deadline(seconds) as deadline:
        deadline.watch(here)
        return here.recv(1) == b"" and deadline.expired


def test_wakes_a_reader_when_the_time_is_up(connect: Connect) -> None:
    """The other side says nothing, and a later deadline that was set before does not hold this one up."""
    with Deadline(LONG):
        assert reads_the_end(SHORT, connect()[0])


def test_leaves_alone_what_was_in_time(connect: Connect) -> None:
    """A deadline that was met shuts nothing down, even when its time comes."""
    here, there = connect()
    with Deadline(SHORT) as met:
        met.watch(here)
    assert reads_the_end(2 * SHORT, connect()[0])
    there.send(b"x")
    assert here.recv(1) == b"x"
    assert not met.expired


def test_takes_one_thread_however_many() -> None:
    """A thread for each would cost more than the exchange."""
    with Deadline(LONG):
        before = threading.active_count()
        for _ in range(50):
            with Deadline(LONG):
                assert threading.active_count() == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of what is tested here
def test_works_in_a_forked_child(connect: Connect) -> None:
    """Workers are forked from a parent that may have used it."""
    with Deadline(LONG):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if reads_the_end(SHORT, connect()[0]) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
