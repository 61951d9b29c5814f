"""A shop on loopback: it serves real photographs, well or badly, and receives webhooks."""

from __future__ import annotations

import io
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image
from skimage import data

from imgproc.demo.site import Announcement

REFUSED = "http://127.0.0.1:1/refused.jpg"  # nobody listens on port 1 (tcpmux)
SIZES = {"astronaut.jpg": (512, 512), "coffee.png": (600, 400), "chelsea.jpg": (451, 300), "rocket.webp": (640, 427)}


@dataclass(frozen=True)
class Answer:
    """What the shop says to one request; `delay` is in seconds."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0


@cache
def photo(name: str) -> bytes:
    """A photograph of scikit-image, in the format its name says."""
    stem, _, extension = name.partition(".")
    out = io.BytesIO()
    format_ = {"jpg": "JPEG"}.get(extension, extension)
    Image.fromarray(getattr(data, stem)()).save(out, format_, quality=85)
    return out.getvalue()


@dataclass
class Shop:
    """A running shop. `script[path]` holds the answers to come, the last one again and again.

    `conditions` are If-None-Match and If-Modified-Since of every GET.
    """

    url: str
    script: dict[str, list[Answer]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    conditions: list[tuple[str | None, str | None]] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)

    def says(self, path: str, *answers: Answer) -> str:
        """From now on `path` is answered so; its URL."""
        self.script[path] = list(answers)
        return f"{self.url}{path}"

    def answer(self, path: str) -> Answer:
        """The next answer to a request for `path`, whatever its query."""
        path = path.partition("?")[0]
        self.asked[path] += 1
        if answers := self.script.get(path):
            return answers.pop(0) if len(answers) > 1 else answers[0]
        return Answer(body=photo(path[1:])) if path[1:] in SIZES else Answer(404)

    def reset(self) -> None:
        """Forget what the last test asked and scripted."""
        for each in (self.script, self.asked, self.announcements, self.conditions):
            each.clear()
        page = b"<!doctype html><title>Sign in</title><form action=/login></form>"
        self.says("/page.jpg", Answer(body=page, headers={"Content-Type": "text/html"}))
        self.says("/cut.jpg", Answer(body=photo("astronaut.jpg")[:20_000]))
        self.says("/iphone.heic", Answer(body=b"\x00\x00\x00\x18ftypheic" + bytes(12)))
        self.says("/forbidden.jpg", Answer(403))
        self.says("/broken.jpg", Answer(500))
        self.says("/slow.jpg", Answer(body=photo("astronaut.jpg"), delay=3))
        self.says("/webhook", Answer())


@contextmanager
def open_shop() -> Iterator[Shop]:
    """A shop on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            shop.conditions.append((self.headers["If-None-Match"], self.headers["If-Modified-Since"]))
            self._send(shop.answer(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            shop.announcements.append(Announcement({name.lower(): value for name, value in self.headers.items()}, body))
            self._send(shop.answer(self.path))

        def _send(self, answer: Answer) -> None:
            closing.wait(answer.delay)
            headers = {"Content-Type": "image/jpeg", **answer.headers, "Content-Length": str(len(answer.body))}
            with suppress(ConnectionError):  # the other side had enough
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    closing = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        shop = Shop(f"http://127.0.0.1:{server.server_port}")
        shop.reset()
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield shop
        finally:
            closing.set()
            server.shutdown()
