"""A server on loopback that answers request after request with given bytes, and keeps what was asked."""

from __future__ import annotations

import socket
import threading

from tests.support.hostile_servers import Server, read_request


class Script:
    """A behaviour of `serving`: each request, over any connection, gets the next answer; the last one is repeated.

    An answer of which `hang_up` is true closes the connection. `heads` are the requests, and `targets` their targets.
    """

    def __init__(self, *answers: bytes, hang_up: bool = False) -> None:
        self.heads: list[bytes] = []
        self._answers = list(answers)
        self._hang_up = hang_up
        self._lock = threading.Lock()

    @property
    def targets(self) -> list[str]:
        """The targets of the requests, byte for byte."""
        return [head.split(b" ")[1].decode("latin-1") for head in self.heads]

    def header(self, number: int, name: str) -> str | None:
        """A header of the request of that number."""
        for line in self.heads[number].decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None

    def __call__(self, connection: socket.socket, _server: Server) -> None:
        """Answer the requests of one connection."""
        while head := read_request(connection):
            with self._lock:
                self.heads.append(head)
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            connection.sendall(answer)
            if self._hang_up:
                return


def reply(body: bytes = b"picture", *headers: str, status: str = "200 OK", length: str | None = None) -> bytes:
    """An answer of HTTP/1.1 with a `Content-Length`, which may be wrong."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
