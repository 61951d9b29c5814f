"""The connections and pools of urllib3, made strict about addresses and lenient about answers.

They connect as `connect` does, send the target of a request as it was written, and read answers as browsers read them.
"""

from __future__ import annotations

import queue
import socket
import time
from contextlib import suppress
from typing import Any

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from imgproc.core.metrics import observe, timed
from imgproc.pipeline.http.addresses import Address, Network, check_address
from imgproc.pipeline.http.connect import connect
from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.response import LastResponse, Response


class StaleConnection(ConnectionResetError):
    """A kept-alive connection did not answer; the request may succeed over a new one."""


class _Connection(HTTPConnection):
    """Checks every address before it connects, and is not reused after `max_idle` seconds."""

    response_class = Response

    def __init__(
        self,
        *args: Any,
        allowed_networks: tuple[Network, ...],
        connect_timeout: float,
        max_idle: float,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._allowed_networks = allowed_networks
        self._connect_timeout = connect_timeout
        self._max_idle = max_idle
        self._answered_at: float | None = None  # None until this connection has answered once
        self._dialled_at: float | None = None  # None until it has been dialled

    def _new_conn(self) -> socket.socket:
        connection = connect(self._dns_host, self.port, seconds=self._connect_timeout, check=self._check)
        self._dialled_at = time.monotonic()
        return connection

    def _check(self, address: Address) -> None:
        check_address(address, self.port, host=self.host, allowed_networks=self._allowed_networks)

    @property
    def is_connected(self) -> bool:
        """Whether the connection may be reused: many proxies and firewalls forget idle ones without a word."""
        idle = time.monotonic() - (self._answered_at or 0)
        return (self._answered_at is None or idle <= self._max_idle) and super().is_connected

    def connect(self) -> None:
        self._answered_at = None
        super().connect()

    def request(self, *args: Any, **options: Any) -> None:
        # Nothing has been sent yet, whether the connection is new or from the pool.
        if self.sock is None:
            self.connect()
        Deadline.current().watch(self.sock)
        is_last = (options.get("headers") or {}).get("Connection") == "close"
        self.response_class = LastResponse if is_last else Response
        super().request(*args, **options)

    def getresponse(self) -> Any:
        """Read the head of the answer.

        Raises:
            StaleConnection: the connection was reused and broke or timed out.
        """
        try:
            with timed("first_byte", Deadline.current().spent):
                response = super().getresponse()
        except OSError as error:
            if self._answered_at is not None:
                raise StaleConnection("a kept-alive connection did not answer") from error
            raise
        self._answered_at = time.monotonic()
        return response


class _TLSConnection(_Connection, HTTPSConnection):
    """Measures the handshake, too."""

    def connect(self) -> None:
        self._dialled_at = None
        try:
            super().connect()
        finally:
            if self._dialled_at is not None:
                observe("tls", time.monotonic() - self._dialled_at, Deadline.current().spent)


class _AsWritten(HTTPConnectionPool):
    """urllib3 normalizes the target of each request; this pool sends `target` instead, unchanged."""

    def _make_request(  # type: ignore[override]  # one argument more, which `urlopen` passes on
        self, conn: Any, method: str, url: str, *args: Any, target: str, **options: Any
    ) -> BaseHTTPResponse:
        del url
        return super()._make_request(conn, method, target, *args, **options)

    def forget_idle(self) -> None:
        """Close the connections that wait for reuse."""
        with suppress(queue.Empty, AttributeError):  # `pool` is None once it is closed
            while True:
                if idle := self.pool.get_nowait():  # type: ignore[union-attr]
                    idle.close()


class Pool(_AsWritten):
    """Connections to one http host."""

    ConnectionCls = _Connection


class TLSPool(_AsWritten, HTTPSConnectionPool):
    """Connections to one https host."""

    ConnectionCls = _TLSConnection
