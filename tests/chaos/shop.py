"""The image host: quick, always up, and counting every download of every URL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from imgproc.embedded.ports import LOOPBACK
from tests.chaos.pictures import MENDED, PICTURES, photo


class Shop:
    """A running shop at `url`; `asked` counts the requests for each path with its query."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: Counter[str] = Counter()
        self.mended: set[str] = set()  # the files whose broken pictures are whole by now
        self.before: Callable[[str], None] = lambda _path: None  # called before anything is answered; may wait
        self._lock = threading.Lock()

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        with self._lock:
            self.asked[path] += 1
        self.before(path)
        parts = urlsplit(path)
        name = parts.path[1:]
        if name in PICTURES:
            return 200, photo(name)
        if parse_qs(parts.query)["file"][0] in self.mended:
            return 200, photo(MENDED)
        if name == "page.jpg":
            return 200, b"<!doctype html><title>Sign in</title><form action=/login></form>"
        return (200, photo(MENDED)[:8000]) if name == "cut.jpg" else (404, b"")


@contextmanager
def open_shop(address: str = LOOPBACK) -> Iterator[Shop]:
    """A shop on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            status, body = shop.answer(self.path)
            with suppress(ConnectionError):  # the worker that asked was killed
                self.send_response(status)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _Server((address, 0), Handler) as server:
        shop = Shop(f"http://{address}:{server.server_port}")
        for name in PICTURES:
            photo(name)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield shop
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A worker that dies hangs up in the middle of a request; that is what we are here for."""
