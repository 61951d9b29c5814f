"""One connection, and the time limits of its client."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import sys
import termios
import time
from dataclasses import dataclass
from typing import Any

from waitress.channel import HTTPChannel
from waitress.utilities import Error

from imgproc.server.parser import Parser
from imgproc.server.tasks import AppTask, ProblemTask, TooSlow

PIECE = 64 * 1024  # bytes of a response that are given to the kernel at a time

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of socket(7): on close, drop unsent bytes and reset the connection


@dataclass(frozen=True)
class Patience:
    """How slow a client may be: in `seconds` it sends a header, or moves `bytes_per_second` of a body or response."""

    seconds: float
    bytes_per_second: float
    idle_seconds: float  # between two requests

    @property
    def least_bytes(self) -> float:
        """The bytes that must move within `seconds`."""
        return self.seconds * self.bytes_per_second


@dataclass
class _Watch:
    """The phase of the client, since when it lasts, and its progress at the last check."""

    phase: tuple[str, int]
    since: float
    checked_at: float
    progress: int


class Channel(HTTPChannel):
    """A connection that holds no thread while its client is slow, and is closed if the client is too slow."""

    parser_class = Parser
    task_class = AppTask
    error_task_class = ProblemTask
    request: Any  # the request being received
    sent_continue: bool

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002 - waitress's name
        self._ahead = b""  # bytes received after the request being answered
        self._sent = 0
        self._served = 0
        self._lingers = False
        self._shut = False
        now = time.monotonic()
        self._watch = _Watch(("header", 0), now, now, 0)
        super().__init__(server, sock, addr, adj, map=map)
        self.sendbuf_len = PIECE  # waitress reads this much again each time the kernel takes a part of it

    def check(self, now: float, patience: Patience) -> None:
        """Close the connection if its client is too slow. A client that sends a body gets an explanation."""
        phase, progress = self._state()
        watch = self._watch
        if phase != watch.phase:
            self._watch = _Watch(phase, now, now, progress)
            return
        kind, _ = phase
        allowed = patience.idle_seconds if kind == "idle" else patience.seconds
        if kind == "busy" or now - watch.checked_at < allowed:
            return
        if kind in {"body", "answer"} and progress - watch.progress >= patience.least_bytes:
            watch.checked_at, watch.progress = now, progress
        elif kind == "body":
            rate = f"{patience.bytes_per_second:g} bytes a second"
            self.refuse(
                TooSlow(f"You sent less than {rate} for {patience.seconds:g} seconds; use a faster connection.")
            )
        else:
            self.kill()

    @property
    def since(self) -> float:
        """The monotonic time at which the present phase began, in seconds."""
        return self._watch.since

    @property
    def is_busy(self) -> bool:
        """Whether a thread works on a request, or is about to."""
        return bool(self.requests)

    @property
    def has_work(self) -> bool:
        """Whether the connection must be served before the process stops."""
        return self.is_busy or self.total_outbufs_len > 0 or self._is_sending_body()

    @property
    def held_bytes(self) -> int:
        """The bytes of request bodies held for this connection."""
        held = [*self.requests, self.request]
        return sum(request.body_bytes_received for request in held if request is not None)

    def refuse(self, error: Error) -> None:
        """Respond to the request being received with `error`, and close."""
        with self.requests_lock:
            request, self.request = self.request, None
            if request is None or self.requests:
                return
            request.error = error
            request.completed = True
            self.requests.append(request)
        self.server.add_task(self)

    def _state(self) -> tuple[tuple[str, int], int]:
        request = self.request
        if self._shut:
            return ("header", -1), 0
        if self.total_outbufs_len:
            return ("answer", 0), self._sent - _unacknowledged(self.socket)
        if self.requests:
            return ("busy", self._served), 0
        if request is not None and request.headers_finished:
            return ("body", self._served), request.body_bytes_received
        if request is not None or not self._served:
            return ("header", self._served), 0
        return ("idle", self._served), 0

    def _is_sending_body(self) -> bool:
        request = self.request
        return request is not None and request.headers_finished

    def service(self) -> None:
        """Answer one request."""
        super().service()
        self._served += 1

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send and count the bytes that the kernel takes."""
        sent: int = super().send(data, do_close)
        self._sent += sent
        return sent

    def send_continue(self) -> None:
        """Send 100 Continue, unless the request has no body or is refused. waitress would send it in any case."""
        if self.request.completed:
            self.request.expect_continue = False
        else:
            super().send_continue()

    def linger(self) -> None:
        """Read on for a while after the response is sent. TCP resets a connection that is closed with unread bytes, and
        the client would lose the response.
        """
        self._lingers = True

    def readable(self) -> bool:
        """Whether the loop may call `handle_read`. Also starts the next of several pipelined requests."""
        if not self.connected:
            return False  # closed in this turn of the loop; a new connection may have its descriptor already
        if self._ahead and super().readable():
            self.received(b"")
        return self._shut or bool(super().readable())

    def received(self, data: bytes) -> bool:
        """Accept one request. Later ones wait until its response is sent.

        waitress would process all at once, and hold a thread while the client does not read the responses.
        """
        self._ahead += data
        with self.requests_lock:
            if self.will_close or self.close_when_flushed:
                return False
            while self._ahead and not self.requests:
                self._receive()
        return True

    def _receive(self) -> None:
        request = self.request = self.request or self.parser_class(self.adj)
        self._ahead = self._ahead[request.received(self._ahead) :]
        if request.expect_continue and request.headers_finished and not self.sent_continue:
            self.send_continue()
        if request.completed:
            self.sent_continue = False
            self.request = None
            if not request.empty:
                self.requests.append(request)
                self.server.add_task(self)

    def writable(self) -> bool:
        """Whether the loop may call `handle_write`."""
        return self.connected and bool(self.will_close if self._shut else super().writable())

    def handle_read(self) -> None:
        """Read what the client sent. After a refusal, drop it."""
        if not self._shut:
            super().handle_read()
            return
        with contextlib.suppress(OSError):
            self.recv(self.adj.recv_bytes)  # closes the connection if the client has closed it

    def kill(self) -> None:
        """Close the connection now. Only the loop's thread may call this.

        If a response is cut off, the kernel drops its unsent part as well. A complete response still arrives.
        """
        self._lingers = False
        if self.total_outbufs_len:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.handle_close()

    def handle_close(self) -> None:
        """Close the connection, or at first only our half of it if it lingers."""
        if self._lingers and not self._shut and not self.total_outbufs_len and self.connected:
            self._shut = True
            self.will_close = self.close_when_flushed = False
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_close()


def _unacknowledged(sock: socket.socket) -> int:
    """The bytes sent to the kernel that the client has not acknowledged; 0 on systems that do not tell."""
    if sys.platform != "linux":
        return 0
    try:
        size: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    except OSError:
        return 0
    return size
