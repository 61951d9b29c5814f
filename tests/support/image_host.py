"""The image host: it serves real photographs or scripted failures, counts requests, and receives webhooks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from imgproc.embedded.ports import LOOPBACK
from tests.support.http_server import Answer, Call, serve
from tests.support.photographs import photo_file
from tests.support.receiver import Receiver

REFUSED = "http://127.0.0.1:1/refused.jpg"  # no server listens on port 1 (tcpmux)
SIZES = {"astronaut.jpg": (512, 512), "coffee.png": (600, 400), "chelsea.jpg": (451, 300), "rocket.webp": (640, 427)}
SIGN_IN_PAGE = b"<!doctype html><title>Sign in</title><form action=/login></form>"


class ImageHost(Receiver):
    """A running host. `script[path]` holds the next answers; the last one is repeated.

    `asked` counts the requests of each path, and `downloads` those of each path with its query. `conditions` are
    If-None-Match and If-Modified-Since of every GET. `before` is called before each answer, and may wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.script: dict[str, list[Answer]] = {}
        self.asked: Counter[str] = Counter()
        self.downloads: Counter[str] = Counter()
        self.conditions: list[tuple[str | None, str | None]] = []
        self.before: Callable[[str], None] = lambda _path: None
        self._lock = threading.Lock()

    def says(self, path: str, *answers: Answer) -> str:
        """Answer requests for `path` with `answers` from now on; its URL."""
        self.script[path] = list(answers)
        return f"{self.url}{path}"

    def respond(self, call: Call) -> Answer:
        """Record the call and answer it."""
        if call.method == "POST":
            self.receive(call)
        else:
            self.conditions.append((call.headers.get("if-none-match"), call.headers.get("if-modified-since")))
        return self.answer(call.path)

    def answer(self, path: str) -> Answer:
        """The next answer to a request for `path`; only `picture` looks at the query."""
        name = path.partition("?")[0]
        with self._lock:
            self.asked[name] += 1
            self.downloads[path] += 1
        self.before(path)
        with self._lock:
            if answers := self.script.get(name):
                return answers.pop(0) if len(answers) > 1 else answers[0]
        return self.picture(path)

    def picture(self, path: str) -> Answer:
        """The photograph of that name, or 404; used for paths without scripted answers."""
        name = path.partition("?")[0][1:]
        return Answer(body=photo_file(name)) if name in SIZES else Answer(404)

    def reset(self) -> None:
        """Clear counts and scripts, and script the usual broken images."""
        for each in (self.script, self.asked, self.downloads, self.announcements, self.conditions):
            each.clear()
        self.says("/page.jpg", Answer(body=SIGN_IN_PAGE, headers={"Content-Type": "text/html"}))
        self.says("/cut.jpg", Answer(body=photo_file("astronaut.jpg")[:20_000]))
        self.says("/iphone.heic", Answer(body=b"\x00\x00\x00\x18ftypheic" + bytes(12)))
        self.says("/forbidden.jpg", Answer(403))
        self.says("/broken.jpg", Answer(500))
        self.says("/slow.jpg", Answer(body=photo_file("astronaut.jpg"), delay=3))
        self.says("/webhook", Answer())


Host = TypeVar("Host", bound=ImageHost)


@contextmanager
def serving_images(host: Host, *, address: str = LOOPBACK) -> Iterator[Host]:
    """Let `host` serve on a free port while the block runs."""
    with serve(host.respond, address=address) as host.url:
        yield host


@contextmanager
def open_image_host() -> Iterator[ImageHost]:
    """A host that serves the photographs of `SIZES`, and broken ones under the names of `reset`."""
    host = ImageHost()
    host.reset()
    with serving_images(host):
        yield host
