"""One connection, and how long its client may take."""

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

PIECE = 64 * 1024  # bytes of an answer that are offered to the kernel at a time

RESET = struct.pack("ii", 1, 0)  # socket(7): closed without waiting for what has not been sent


@dataclass(frozen=True)
class Patience:
    """How slow a client may be: in each `seconds` it moves a header, or `bytes_per_second` of a body or an answer."""

    seconds: float
    bytes_per_second: float
    idle_seconds: float  # between two requests

    @property
    def least_bytes(self) -> float:
        """What must move within `seconds`."""
        return self.seconds * self.bytes_per_second


@dataclass
class _Watch:
    """What the client does, since when, and how far it was at the last check."""

    phase: tuple[str, int]
    since: float
    looked_at: float
    progress: int


class Channel(HTTPChannel):
    """A connection that never holds a thread while its client is slow, and is closed where it is too slow."""

    parser_class = Parser
    task_class = AppTask
    error_task_class = ProblemTask
    request: Any  # the one that is being received
    sent_continue: bool

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002 - waitress's name
        self._ahead = b""  # came after the request that is being answered
        self._sent = 0
        self._served = 0
        self._lingers = False
        self._shut = False
        now = time.monotonic()
        self._watch = _Watch(("header", 0), now, now, 0)
        super().__init__(server, sock, addr, adj, map=map)
        self.sendbuf_len = PIECE  # waitress reads as much again each time that the kernel takes a little

    def check(self, now: float, patience: Patience) -> None:
        """Close the connection, with an explanation where that can be read, if its client is too slow."""
        phase, progress = self._state()
        watch = self._watch
        if phase != watch.phase:
            self._watch = _Watch(phase, now, now, progress)
            return
        kind, _ = phase
        allowed = patience.idle_seconds if kind == "idle" else patience.seconds
        if kind == "busy" or now - watch.looked_at < allowed:
            return
        if kind in {"body", "answer"} and progress - watch.progress >= patience.least_bytes:
            watch.looked_at, watch.progress = now, progress
        elif kind == "body":
            rate = f"{patience.bytes_per_second:g} bytes a second"
            self.refuse(TooSlow(f"Less than {rate} came for {patience.seconds:g} seconds; use a faster connection."))
        else:
            self.kill()

    @property
    def since(self) -> float:
        """Monotonic seconds at which the client began what it does now."""
        return self._watch.since

    @property
    def is_busy(self) -> bool:
        """Does a thread work on a request, or is one about to?"""
        return bool(self.requests)

    @property
    def has_work(self) -> bool:
        """Is there something to finish before a stop?"""
        return self.is_busy or self.total_outbufs_len > 0 or self._is_sending_body()

    @property
    def held_bytes(self) -> int:
        """Bytes of bodies that are kept for this connection."""
        held = [*self.requests, self.request]
        return sum(request.body_bytes_received for request in held if request is not None)

    def refuse(self, error: Error) -> None:
        """Answer the request that is being received with `error`, and close."""
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
        """Send what the kernel takes, and count it."""
        sent: int = super().send(data, do_close)
        self._sent += sent
        return sent

    def send_continue(self) -> None:
        """Ask for the body (100 Continue), unless there is none or it is refused: waitress would ask all the same."""
        if self.request.completed:
            self.request.expect_continue = False
        else:
            super().send_continue()

    def linger(self) -> None:
        """Once the answer is sent, read on for a while: closed at once, TCP would reset it before it is read."""
        self._lingers = True

    def readable(self) -> bool:
        """Shall the loop call `handle_read`? Asked at each turn, when the next of several requests may be taken on."""
        if not self.connected:
            return False  # killed in this turn; a connection that is accepted in it may get the same descriptor
        if self._ahead and super().readable():
            self.received(b"")
        return self._shut or bool(super().readable())

    def received(self, data: bytes) -> bool:
        """Take on one request; what came after it waits until its answer is sent.

        waitress would answer all at once, and hold a thread while the client does not take so many answers.
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
        """Shall the loop call `handle_write`?"""
        return self.connected and bool(self.will_close if self._shut else super().writable())

    def handle_read(self) -> None:
        """Take what came; drop it where the request is refused."""
        if not self._shut:
            super().handle_read()
            return
        with contextlib.suppress(OSError):
            self.recv(self.adj.recv_bytes)  # closes the connection where the client has

    def kill(self) -> None:
        """Close the connection now. Only the loop's thread may.

        Where the client is not to get the rest of an answer, the kernel drops what it keeps for it too; a whole answer
        that is still on its way arrives.
        """
        self._lingers = False
        if self.total_outbufs_len:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.handle_close()

    def handle_close(self) -> None:
        """Close the connection, or, the first time where it lingers, our half of it."""
        if self._lingers and not self._shut and not self.total_outbufs_len and self.connected:
            self._shut = True
            self.will_close = self.close_when_flushed = False
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_close()


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes that the kernel has taken and the client has not; 0 where the kernel does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        size: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    except OSError:
        return 0
    return size
