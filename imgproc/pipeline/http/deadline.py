"""An end to what is sent and received, which the other side cannot put off."""

from __future__ import annotations

import heapq
import itertools
import os
import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar, Token

_current: ContextVar[Deadline] = ContextVar("deadline")


class _Watchman:
    """One thread that ends every deadline of the process: starting a thread for each took a sixth of a download.

    It sleeps until the earliest end. A deadline that was met in time stays in the heap until then, disarmed.
    """

    def __init__(self) -> None:
        self._ends: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()  # Deadlines themselves have no order.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, deadline: Deadline, ends: float) -> None:
        """Call `deadline.expire` at `ends`, in seconds of the monotonic clock."""
        with self._changed:
            heapq.heappush(self._ends, (ends, next(self._numbers), deadline))
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="deadlines", daemon=True)
                self._thread.start()
            elif self._ends[0][2] is deadline:
                self._changed.notify()

    def _keep(self) -> None:
        while True:
            self._next().expire()

    def _next(self) -> Deadline:
        """Wait for the earliest end that has not been met."""
        with self._changed:
            while True:
                while self._ends and self._ends[0][2].met:
                    heapq.heappop(self._ends)
                left = self._ends[0][0] - time.monotonic() if self._ends else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._ends)[2]
                self._changed.wait(left)


_watchman = _Watchman()


def _start_anew() -> None:
    """A forked child has the parent's heap, and a lock in any state, but not its thread."""
    global _watchman  # noqa: PLW0603 - one a process
    _watchman = _Watchman()


os.register_at_fork(after_in_child=_start_anew)


class Deadline:
    """Ends the network exchange inside its `with` block `seconds` after the block was entered.

    A read timeout starts anew with every byte, so a server that drips never meets one. This covers everything: whoever
    waits asks for what `remaining` allows, and at the end the watched socket is shut down, which wakes its reader with
    an error or with an early end of data. `expired` tells that end from a real one.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self.met = False
        self._lock = threading.Lock()
        self._watched: socket.socket | None = None

    @classmethod
    def current(cls) -> Deadline:
        """The deadline of the `with` block this thread is in.

        Raises:
            LookupError: it is in none; nothing may be sent without a deadline.
        """
        return _current.get()

    def __enter__(self) -> Deadline:
        self._ends = time.monotonic() + self.seconds
        _watchman.watch(self, self._ends)
        self._token: Token[Deadline] = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        with self._lock:
            self.met = True
            self._unwatch()

    def remaining(self) -> float:
        """Seconds left, always above 0.

        Raises:
            TimeoutError: there are none.
        """
        left = self._ends - time.monotonic()
        if self.expired or left <= 0:
            self.expired = True
            raise TimeoutError(f"not done within {self.seconds:g} s")
        return left

    def watch(self, connection: socket.socket) -> None:
        """Shut `connection` down when the time is up; it takes the place of the one watched before.

        A duplicate is kept, because the original may be closed, and its number given to another file, at any moment.

        Raises:
            TimeoutError: the time is up already.
        """
        with self._lock:
            self._unwatch()
            self.remaining()
            self._watched = socket.socket(connection.family, connection.type, fileno=os.dup(connection.fileno()))

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._watched.close()
            self._watched = None

    def expire(self) -> None:
        """The time is up: shut down what is watched, unless the block was left in time."""
        with self._lock:
            if self.met:
                return
            self.expired = True
            if self._watched is not None:
                with suppress(OSError):  # The other side may have been faster.
                    self._watched.shutdown(socket.SHUT_RDWR)
