"""A fake of Sentry: it takes envelopes, and keeps the events in memory."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.holding_server import HoldingServer
from tests.support.http_server import Answer, Call


class SentryServer(HoldingServer):
    """Keeps the bodies of calls, and the events in them."""

    def __init__(self) -> None:
        super().__init__(Answer(200, b"{}"))
        self.dsn = ""
        self.bodies: list[bytes] = []

    def keep(self, call: Call) -> None:
        """Keep an envelope."""
        zipped = call.headers.get("content-encoding") == "gzip"
        self.bodies.append(gzip.decompress(call.body) if zipped else call.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of all envelopes: the lines behind the header of each item."""
        items = [item for body in self.bodies for item in zip(*[iter(body.split(b"\n")[1:])] * 2, strict=False)]
        return [json.loads(payload) for header, payload in items if json.loads(header)["type"] == "event"]


@contextmanager
def open_sentry() -> Iterator[SentryServer]:
    """A server on loopback."""
    server = SentryServer()
    with server.opened() as url:
        server.dsn = f"{url.replace('://', '://public-key@')}/7"
        yield server
