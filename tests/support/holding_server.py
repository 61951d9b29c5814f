"""A server that can hold its answers, as a service does that hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.http_server import Answer, Call, serve

PATIENCE = 30.0  # the longest time that a call is held, in seconds


class HoldingServer:
    """Answers with `answer`, and holds calls while `speak` is not set. `asked` is set at the first call."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = threading.Event()
        self.speak = threading.Event()
        self.speak.set()

    def keep(self, call: Call) -> None:
        """Keep what came."""
        raise NotImplementedError

    @contextmanager
    def opened(self) -> Iterator[str]:
        """Serve on loopback. Yields the base URL."""
        with serve(self._receive) as url:
            try:
                yield url
            finally:
                self.speak.set()

    def _receive(self, call: Call) -> Answer:
        self.keep(call)
        self.asked.set()
        self.speak.wait(PATIENCE)
        return self.answer
