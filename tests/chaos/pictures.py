"""Small photographs, which take little CPU, and the answers of broken URLs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import parse_qs, urlsplit

from imgproc.embedded.ports import LOOPBACK
from tests.support.hosts.replies import Asked, Reply
from tests.support.hosts.troubled_host import TroubledHost, troubled_host
from tests.support.http_server import Answer
from tests.support.image_host import SIGN_IN_PAGE, ImageHost, serving_images
from tests.support.photographs import photo_file

# No two have the same size, so that the checker notices a picture in the wrong place.
PICTURES = {
    "astronaut.jpg": (400, 396),
    "chelsea.jpg": (451, 300),
    "coffee.jpg": (480, 320),
    "rocket.webp": (420, 280),
    "coffee.png": (300, 200),
}
# The error code that each must end with; `ChaosHost.picture` serves them.
BROKEN = {"missing.jpg": "http_404", "page.jpg": "not_an_image", "cut.jpg": "truncated_image"}
REPAIRED = "chelsea.jpg"  # the picture behind a broken URL once it is repaired


def photo(name: str) -> bytes:
    """The encoded file of a picture, in the format its name says."""
    return photo_file(name, size=PICTURES[name], quality=80)


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class ChaosHost(ImageHost):
    """Serves `PICTURES`; the names of `BROKEN` are broken until their upload is in `repaired`.

    The `troubled` hosts serve the same pictures, and faults may give them trouble.
    """

    def __init__(self) -> None:
        super().__init__()
        self.repaired: set[str] = set()
        self.troubled: list[TroubledHost] = []

    @property
    def urls(self) -> tuple[str, ...]:
        """The base URLs of all hosts; a `Place` names one by its number."""
        return (self.url, *(host.url for host in self.troubled))

    def served(self) -> Counter[str]:
        """How often each path was downloaded; what a troubled host refused does not count."""
        return sum((Counter(line.path for line in host.log.served) for host in self.troubled), self.downloads.copy())

    def reply(self, asked: Asked) -> Reply:
        """The same answers, for a troubled host."""
        answer = self.picture(asked.path)
        return Reply(answer.status, answer.body, {"Content-Type": "image/jpeg", **answer.headers})

    def picture(self, path: str) -> Answer:
        """The answer for a path; its query `file=…` names the upload that it belongs to."""
        parts = urlsplit(path)
        name = parts.path[1:]
        if name in PICTURES:
            return Answer(body=photo(name))
        if parse_qs(parts.query)["file"][0] in self.repaired:
            return Answer(body=photo(REPAIRED))
        broken = {"page.jpg": Answer(body=SIGN_IN_PAGE), "cut.jpg": Answer(body=photo(REPAIRED)[:8000])}
        return broken.get(name, Answer(404))


@contextmanager
def open_chaos_host(address: str = LOOPBACK, *, troubled: int = 0) -> Iterator[ChaosHost]:
    """A host on a free port, and so many that may get into trouble; the pictures are made before they start."""
    for name in PICTURES:
        photo(name)
    with serving_images(ChaosHost(), address=address) as host, ExitStack() as cleanup:
        others = [troubled_host(host.reply, address=address) for _ in range(troubled)]
        host.troubled = [cleanup.enter_context(each) for each in others]
        yield host
