"""A local HTTP server that answers by a Python function; the image host and the receiver use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from imgproc.embedded.ports import LOOPBACK

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Call:
    """One request: `path` includes the query, and the names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """The response to one request, sent after `delay` seconds; a `status` of 0 closes the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Log nothing: a test may kill the client."""


def _handler(answer: Callable[[Call], Answer], closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(answer(Call(self.command, self.path, headers, body)))

        do_POST = do_GET  # noqa: N815 - the standard library's name

        def _send(self, answer: Answer) -> None:
            closing.wait(answer.delay)
            if not answer.status:
                self.close_connection = True
                return
            headers = {"Content-Type": "image/jpeg", **answer.headers, "Content-Length": str(len(answer.body))}
            with suppress(ConnectionError):  # the caller has hung up
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler


@contextmanager
def serve(answer: Callable[[Call], Answer], *, address: str = LOOPBACK, port: int = 0) -> Iterator[str]:
    """Answer every GET and POST in a thread of its own while the block runs. Yields the server's base URL."""
    closing = threading.Event()
    with _Server((address, port), _handler(answer, closing)) as server:
        threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            closing.set()
            server.shutdown()
