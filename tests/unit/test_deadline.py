"""`Deadline`: one thread ends what is late and leaves the rest alone, in a forked child too."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from imgproc.deadline import Deadline

LONG = 600.0
SHORT = 0.05


@pytest.fixture
def ends():
    """Two ends of a connection."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def reads_the_end(seconds: float, here: socket.socket) -> bool:
    """Whether a reader of a silent connection is woken because the time is up."""
    with Deadline(seconds) as deadline:
        deadline.watch(here)
        return here.recv(1) == b"" and deadline.expired


def test_wakes_a_reader_when_the_time_is_up(ends):
    """The other side says nothing, and a later deadline that was set before does not hold this one up."""
    with Deadline(LONG):
        assert reads_the_end(SHORT, ends[0])


def test_leaves_alone_what_was_in_time(ends):
    """A deadline that was met shuts nothing down, even when its time comes."""
    with Deadline(SHORT) as met:
        met.watch(ends[0])
    with Deadline(2 * SHORT), pytest.raises(TimeoutError):
        while True:  # until a later deadline has come
            Deadline.current().remaining()
    met.expire()
    ends[1].send(b"x")
    assert ends[0].recv(1) == b"x"
    assert not met.expired


def test_takes_one_thread_however_many():
    """A thread for each would cost more than the exchange."""
    with Deadline(LONG):
        before = threading.active_count()
        for _ in range(50):
            with Deadline(LONG):
                assert threading.active_count() == before


def test_works_in_a_forked_child(ends):
    """Workers are forked from a parent that may have used it."""
    with Deadline(LONG):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if reads_the_end(SHORT, ends[0]) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
