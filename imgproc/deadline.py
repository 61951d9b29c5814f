"""An end to what is sent and received, which the other side cannot put off."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar, Token

_current: ContextVar[Deadline] = ContextVar("deadline")


class Deadline:
    """Ends the network exchange inside its `with` block `seconds` after the block was entered.

    A read timeout starts anew with every byte, so a server that drips never meets one. This covers everything: whoever
    waits asks for what `remaining` allows, and at the end a timer shuts the watched socket down, which wakes its reader
    with an error or with an early end of data. `expired` tells that end from a real one.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
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
        self._timer = threading.Timer(self.seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()
        self._token: Token[Deadline] = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        self._timer.cancel()
        with self._lock:
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

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._watched is not None:
                with suppress(OSError):  # The other side may have been faster.
                    self._watched.shutdown(socket.SHUT_RDWR)
