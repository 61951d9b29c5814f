"""The image host and webhook receiver of the demo: a server on loopback."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from imgproc.demo.pictures import Picture, render


@dataclass(frozen=True)
class Announcement:
    """One webhook as it arrived."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Site:
    """A running site: pictures under `{url}/pictures/`, the webhook receiver at `{url}/webhook`."""

    url: str
    announcements: queue.Queue[Announcement] = field(default_factory=queue.Queue)


@contextmanager
def serve_site(pictures: Mapping[str, Picture]) -> Iterator[Site]:
    """Serve `pictures` by their names on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            picture = pictures.get(self.path.removeprefix("/pictures/"))
            if picture is None:
                self.send_error(404)
                return
            self._answer(200, "image/png" if picture.name.endswith(".png") else "image/jpeg", render(picture))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            site.announcements.put(Announcement({name.lower(): value for name, value in self.headers.items()}, body))
            self._answer(200, "text/plain", b"")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        site = Site(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield site
        finally:
            server.shutdown()
