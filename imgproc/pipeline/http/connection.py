"""The connections and pools of urllib3, made strict about addresses and lenient about answers.

They connect as `connect` does, send the target of a request as it was written, and read answers as browsers read them.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import time
from contextlib import suppress
from typing import Any

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from imgproc.core.metrics import timed
from imgproc.pipeline.http.addresses import Address, Network, check_address
from imgproc.pipeline.http.connect import connect
from imgproc.pipeline.http.deadline import Deadline

MAX_INTERIM = 20  # answers of 1xx before the final one
MAX_SURPLUS = 2  # bytes beyond the announced length that still belong to the body


class StaleConnection(ConnectionResetError):
    """A kept-alive connection did not answer; the request may succeed over a new one."""


class _Counted(io.RawIOBase):
    """Tells the deadline how many bytes have come, also in the middle of a long read.

    Within a body an error first looks like the end, so that the bytes before it are not lost, and is raised after that.
    """

    def __init__(self, raw: io.RawIOBase, deadline: Deadline) -> None:
        super().__init__()
        self._raw = raw
        self._deadline = deadline
        self._failure: OSError | None = None
        self.in_body = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._failure:
            raise self._failure
        try:
            count: int | None = self._raw.readinto(buffer)
        except OSError as error:
            if not self.in_body:
                raise
            self._failure, count = error, 0
        self._deadline.received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer with interim ones before it, or with a length that is repeated or slightly too small."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        # http.client has made a BufferedReader over the socket.
        self._counted = _Counted(self.fp.detach(), Deadline.current())
        self.fp = io.BufferedReader(self._counted)
        self._socket = sock
        self._surplus = b""

    def begin(self) -> None:
        """Read the head of the final answer.

        Raises:
            http.client.HTTPException: there are too many interim answers, or contradictory lengths. urllib3 refuses
                these later, when it no longer closes the socket.
        """
        super().begin()
        interim = 0
        while 100 <= self.status < 200:  # RFC 9110, 15.2; http.client skips only 100
            interim += 1
            if interim > MAX_INTERIM or self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("no final answer")
            self.headers = None  # type: ignore[assignment]  # so that http.client reads the next head
            super().begin()
        lengths = {length.strip() for length in ",".join(self.headers.get_all("Content-Length", [])).split(",")}
        if len(lengths) > 1:
            raise http.client.HTTPException("contradictory Content-Length")
        if self.length is None and not self.chunked and (length := lengths.pop()).isdecimal():
            self.length = int(length)  # "N, N"
        self._counted.in_body = True

    def read(self, amt: int | None = None) -> bytes:
        """Read as http.client does; the last piece includes one or two bytes that were not announced."""
        piece = super().read(amt)
        if self._surplus:
            piece, self._surplus = piece + self._surplus, b""
        return piece

    def _close_conn(self) -> None:
        # Whatever follows the announced body is unsolicited. One or two bytes are the end of a body whose length was
        # computed wrongly; decoders ignore them if not.
        if self.length == 0 and not self.chunked and self.fp:
            with suppress(OSError, ValueError):
                timeout = self._socket.gettimeout()
                self._socket.settimeout(0)
                surplus = self.fp.peek(1)  # a BufferedReader
                if surplus:
                    self._surplus = surplus if len(surplus) <= MAX_SURPLUS else b""
                    self._socket.shutdown(socket.SHUT_RDWR)  # so that the connection is not reused
                self._socket.settimeout(timeout)
        super()._close_conn()  # type: ignore[misc]  # not in the stubs


class _LastResponse(_Response):
    """Ends its connection, although the server would keep it open."""

    def begin(self) -> None:
        super().begin()
        self.will_close = True


class _Connection(HTTPConnection):
    """Checks every address before it connects, and is not reused after `max_idle` seconds."""

    response_class = _Response

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

    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port, seconds=self._connect_timeout, check=self._check)

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
        self.response_class = _LastResponse if is_last else _Response
        super().request(*args, **options)

    def getresponse(self) -> Any:
        """Read the head of the answer.

        Raises:
            StaleConnection: the connection was reused and broke or timed out.
        """
        try:
            with timed("first_byte"):
                response = super().getresponse()
        except OSError as error:
            if self._answered_at is not None:
                raise StaleConnection("a kept-alive connection did not answer") from error
            raise
        self._answered_at = time.monotonic()
        return response


class _TLSConnection(_Connection, HTTPSConnection):
    pass


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
