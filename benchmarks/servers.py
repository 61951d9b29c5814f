"""An image host in a process of its own, so that its CPU time is not taken for ours."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection


class _Handler(BaseHTTPRequestHandler):
    """Answers every path with the same picture, over connections that are kept alive."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and the start of the body in one packet

    def __init__(self, body: bytes, delay: float, *args: object) -> None:
        self._body = body
        self._delay = delay
        super().__init__(*args)  # type: ignore[arg-type]  # what the server passes

    def do_GET(self) -> None:
        """Wait, as a slow host would, then send the picture."""
        time.sleep(self._delay)
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(self._body)))
        self.end_headers()
        self.wfile.write(self._body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def _serve(body: bytes, delay: float, told: Connection) -> None:
    with _Server(("127.0.0.1", 0), partial(_Handler, body, delay)) as server:
        told.send(server.server_port)
        server.serve_forever()


@contextmanager
def image_host(body: bytes, *, delay: float = 0) -> Iterator[str]:
    """The base URL of a host that answers `delay` seconds after it was asked."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(body, delay, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()
