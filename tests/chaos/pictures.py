"""Real photographs in small sizes, so that the processor is left to the faults; and what broken URLs answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from imgproc.embedded.ports import LOOPBACK
from tests.support.http_server import Answer
from tests.support.image_host import SIGN_IN_PAGE, ImageHost, serving_images
from tests.support.photographs import photo_file

# No two have the same size, so that a picture in the wrong place shows.
PICTURES = {
    "astronaut.jpg": (400, 396),
    "chelsea.jpg": (451, 300),
    "coffee.jpg": (480, 320),
    "rocket.webp": (420, 280),
    "coffee.png": (300, 200),
}
# The error code each must end with; see `ChaosHost.picture` for what is served.
BROKEN = {"missing.jpg": "http_404", "page.jpg": "not_an_image", "cut.jpg": "truncated_image"}
MENDED = "chelsea.jpg"  # what the broken ones show once mended


def photo(name: str) -> bytes:
    """The encoded file of a picture, in the format its name says."""
    return photo_file(name, size=PICTURES[name], quality=80)


def digest(content: bytes) -> str:
    """What two equal files have in common."""
    return hashlib.sha256(content).hexdigest()


class ChaosHost(ImageHost):
    """Serves `PICTURES`, and what is broken under the names of `BROKEN` until its file is in `mended`."""

    def __init__(self) -> None:
        super().__init__()
        self.mended: set[str] = set()

    def picture(self, path: str) -> Answer:
        """The query `file=…` names the file that a broken picture belongs to."""
        parts = urlsplit(path)
        name = parts.path[1:]
        if name in PICTURES:
            return Answer(body=photo(name))
        if parse_qs(parts.query)["file"][0] in self.mended:
            return Answer(body=photo(MENDED))
        broken = {"page.jpg": Answer(body=SIGN_IN_PAGE), "cut.jpg": Answer(body=photo(MENDED)[:8000])}
        return broken.get(name, Answer(404))


@contextmanager
def open_chaos_host(address: str = LOOPBACK) -> Iterator[ChaosHost]:
    """A host on a free port, its pictures made before they are asked for."""
    for name in PICTURES:
        photo(name)
    with serving_images(ChaosHost(), address=address) as host:
        yield host
