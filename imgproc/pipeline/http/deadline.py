"""A deadline for a network exchange that the other side cannot extend."""

from __future__ import annotations

import heapq
import itertools
import os
import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar, Token

from imgproc.core.metrics import StageSeconds

_current: ContextVar[Deadline] = ContextVar("deadline")


class _Timer:
    """One thread that expires all deadlines of the process; a thread for each took a sixth of a download's time.

    It sleeps until the earliest end. A deadline that was met stays in the heap until then and does not expire. One that
    was moved to a later end stays too, and is put back with that end.
    """

    def __init__(self) -> None:
        self._ends: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()  # Deadlines themselves have no order.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, deadline: Deadline) -> None:
        """Call `deadline.expire` at its end, and not before."""
        with self._changed:
            if deadline.watched_at is not None and deadline.watched_at <= deadline.ends:
                return
            self._push(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif self._ends[0][2] is deadline:
                self._changed.notify()

    def _push(self, deadline: Deadline) -> None:
        deadline.watched_at = deadline.ends
        heapq.heappush(self._ends, (deadline.ends, next(self._numbers), deadline))

    def _run(self) -> None:
        while True:
            self._next().expire()

    def _next(self) -> Deadline:
        """Wait until a deadline passes that was not met, and return it."""
        with self._changed:
            while True:
                while self._ends and self._ends[0][2].met:
                    heapq.heappop(self._ends)
                left = self._ends[0][0] - time.monotonic() if self._ends else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                ends, _, deadline = heapq.heappop(self._ends)
                if ends < deadline.ends:
                    self._push(deadline)
                    continue
                deadline.watched_at = None
                return deadline


_timer = _Timer()


def _reset() -> None:
    """Replace the timer in a forked child: it has no thread there, its lock may be held, its heap is the parent's."""
    global _timer  # noqa: PLW0603 - one per process
    _timer = _Timer()


os.register_at_fork(after_in_child=_reset)


class Deadline:
    """Ends the network exchange inside its `with` block after `seconds`, or its current step if that ends before.

    A read time-out starts again with every byte, so a server that sends single bytes never reaches it. A deadline
    bounds the whole exchange: callers wait for at most `remaining`. At the end the watched socket is shut down, which
    wakes its reader with an error or an early end of data; `expired` tells that from a real end. `seconds` is what the
    current step was given, and `received` counts the bytes of all answers. The stages of the exchange add what they
    take to `spent`.
    """

    def __init__(self, seconds: float, *, spent: StageSeconds | None = None) -> None:
        self.seconds = self._total = seconds
        self.spent = spent
        self.expired = False
        self.met = False
        self.ends = 0.0
        self.received = 0
        self.watched_at: float | None = None  # owned by the timer
        self._pace: tuple[int, int] | None = None  # the next value of `received` that is due, and the last allowed
        self._piece = 0
        self._lock = threading.Lock()
        self._watched: socket.socket | None = None

    @classmethod
    def current(cls) -> Deadline:
        """The deadline of the `with` block that this thread is in.

        Raises:
            LookupError: there is none, and nothing may be sent without a deadline.
        """
        return _current.get()

    def __enter__(self) -> Deadline:
        self.ends = self._last = time.monotonic() + self._total
        _timer.watch(self)
        self._token: Token[Deadline] = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        with self._lock:
            self.met = True
            self._unwatch()

    def step(self, seconds: float) -> None:
        """Begin a step, which may take `seconds` but no longer than what is left in total.

        Raises:
            TimeoutError: nothing is left.
        """
        now = time.monotonic()
        if now >= self._last:
            self.expired = True
            raise TimeoutError(f"not done within {self._total:g} s")
        self._begin(min(now + seconds, self._last), seconds if now + seconds < self._last else self._total)

    def extend(self, seconds: float) -> None:
        """Begin a step that may take `seconds`, also beyond the total. The caller bounds the number of these.

        Raises:
            TimeoutError: the step before was not done in time.
        """
        if self.expired:
            raise TimeoutError(f"not done within {self.seconds:g} s")
        self._last = max(self._last, time.monotonic() + seconds)
        self._begin(time.monotonic() + seconds, seconds)

    def receive(self, seconds: float, *, least: int, most: int) -> None:
        """Begin a step that lasts while each `seconds` bring `least` bytes, until there were more than `most`.

        Raises:
            TimeoutError: the step before was not done in time.
        """
        self.extend(seconds)
        with self._lock:
            self._piece, self._pace = least, (self.received + least, self.received + most)

    def _begin(self, ends: float, seconds: float) -> None:
        with self._lock:
            self.ends, self.seconds, self.expired, self._pace = ends, seconds, False, None
        _timer.watch(self)

    def _keeps_pace(self) -> bool:
        """Whether the bytes that were due have come; then the next are due as many seconds later."""
        if self._pace is None or not self._pace[0] <= self.received <= self._pace[1]:
            return False
        self._pace = (self.received + self._piece, self._pace[1])
        self.ends = self._last = time.monotonic() + self.seconds
        return True

    def remaining(self) -> float:
        """Seconds left of the current step, always above 0.

        Raises:
            TimeoutError: none are left.
        """
        left = self.ends - time.monotonic()
        if self.expired or left <= 0:
            self.expired = True
            raise TimeoutError(f"not done within {self.seconds:g} s")
        return left

    def shorten(self, seconds: float) -> None:
        """End in `seconds`, unless the step ends earlier."""
        ends = time.monotonic() + seconds
        if ends < self.ends:
            self._begin(ends, seconds)

    def watch(self, connection: socket.socket) -> None:
        """Shut `connection` down when the time is up; it replaces the one watched before.

        A duplicate descriptor is kept: the original may be closed, and its number reused for another file, at any time.

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
        """Shut down the watched socket; called when the time is up. A block that was left in time is not affected."""
        with self._lock:
            if self.met or time.monotonic() < self.ends:
                return
            if not self._keeps_pace():
                self.expired = True
                if self._watched is not None:
                    with suppress(OSError):  # The other side may have been faster.
                        self._watched.shutdown(socket.SHUT_RDWR)
                return
        _timer.watch(self)
