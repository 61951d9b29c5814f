"""A fake of Sentry: it takes envelopes, and keeps the events in memory."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.http_server import Answer, Call, serve

PATIENCE = 30.0  # the longest time that a silent server holds a call, in seconds


class SentryServer:
    """Keeps the bodies of calls, and the events in them. Waits while `speak` is not set."""

    def __init__(self) -> None:
        self.dsn = ""
        self.bodies: list[bytes] = []
        self.answer = Answer(200, b"{}")
        self.asked = threading.Event()
        self.speak = threading.Event()
        self.speak.set()

    def receive(self, call: Call) -> Answer:
        """Keep an envelope."""
        zipped = call.headers.get("content-encoding") == "gzip"
        self.bodies.append(gzip.decompress(call.body) if zipped else call.body)
        self.asked.set()
        self.speak.wait(PATIENCE)
        return self.answer

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of all envelopes: the lines behind the header of each item."""
        items = [item for body in self.bodies for item in zip(*[iter(body.split(b"\n")[1:])] * 2, strict=False)]
        return [json.loads(payload) for header, payload in items if json.loads(header)["type"] == "event"]


@contextmanager
def open_sentry() -> Iterator[SentryServer]:
    """A server on loopback."""
    server = SentryServer()
    with serve(server.receive) as url:
        server.dsn = f"{url.replace('://', '://public-key@')}/7"
        try:
            yield server
        finally:
            server.speak.set()
