"""The files to upload, of many sizes; the seed determines every image and its expected result."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.pictures import BROKEN, PICTURES

SIZES = (1, 1, 2, 3, 5, 8, 13, 20, 30, 50, 120, 250)  # products of a file
IMAGES_OF_PRODUCT = (1, 1, 1, 1, 2, 2, 2, 3, 5)
BROKEN_FILES = 0.25  # of all files have broken URLs, in one of twelve images
TROUBLED_HOSTS, ON_TROUBLED = 3, 0.2  # so many, and so many of all images are theirs
HEADER = ("S. No.", "Product Name", "Input Image Urls")


@dataclass(frozen=True)
class Place:
    """One image of a product: a picture of an image host, given by its number, and the URL below the host's address."""

    picture: str
    path: str
    host: int = 0

    @property
    def code(self) -> str | None:
        """The error code it must end with; None where it must succeed, whatever trouble its host gets into."""
        return BROKEN.get(self.picture)

    def url(self, hosts: Sequence[str]) -> str:
        """The whole URL."""
        return hosts[self.host] + self.path


@dataclass(frozen=True)
class Line:
    """One product of a file."""

    serial_number: str
    product_name: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Upload:
    """One file, sent `at` seconds after the start under its own idempotency key; `action` comes next."""

    key: str
    at: float
    lines: tuple[Line, ...]
    action: str | None = None

    @property
    def places(self) -> list[Place]:
        """All its images in order."""
        return [place for line in self.lines for place in line.places]

    def csv(self, hosts: Sequence[str]) -> bytes:
        """The content of the file."""
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(HEADER)
        for line in self.lines:
            urls = ",".join(place.url(hosts) for place in line.places)
            writer.writerow([line.serial_number, line.product_name, urls])
        return out.getvalue().encode()


def plan_uploads(*, seed: int, images: int, seconds: float) -> list[Upload]:
    """Files of `images` images in all, spread over `seconds`."""
    chance = random.Random(f"uploads {seed}")
    files: list[tuple[Line, ...]] = []
    left = images
    while left > 0:
        key = f"chaos-{seed}-{len(files)}"
        files.append(_file(chance, key, products=min(chance.choice(SIZES), max(1, images // 20)), at_most=left))
        left -= sum(len(line.places) for line in files[-1])
    step = seconds / len(files)
    return [
        Upload(f"chaos-{seed}-{number}", (number + chance.random()) * step, lines, _action(chance, lines))
        for number, lines in enumerate(files)
    ]


def _file(chance: random.Random, key: str, *, products: int, at_most: int) -> tuple[Line, ...]:
    broken = chance.random() < BROKEN_FILES
    lines: list[Line] = []
    for row in range(1, products + 1):
        count = min(chance.choice(IMAGES_OF_PRODUCT), at_most)
        if not count:
            break
        at_most -= count
        places = tuple(_place(chance, key, row, position, broken=broken) for position in range(1, count + 1))
        lines.append(Line(f"{row}.", f"{key} no. {row}", places))
    return tuple(lines)


def _place(chance: random.Random, key: str, row: int, position: int, *, broken: bool) -> Place:
    """A picture under its own URL, so that its downloads can be counted; one in ten shares its URL within the file."""
    kinds = BROKEN if broken and chance.random() < 1 / 12 else PICTURES
    picture = chance.choice(sorted(kinds))
    own = "shared" if chance.random() < 0.1 else f"{row}.{position}"
    host = chance.randint(1, TROUBLED_HOSTS) if chance.random() < ON_TROUBLED else 0
    return Place(picture, f"/{picture}?file={key}&image={own}", host)


def _action(chance: random.Random, lines: tuple[Line, ...]) -> str | None:
    """Some requests are cancelled, deleted, or retried once their broken pictures have been repaired."""
    if any(place.code for line in lines for place in line.places):
        return "retry" if chance.random() < 0.4 else None
    drawn = chance.random()
    if drawn < 0.05:
        return "cancel"
    return "delete" if drawn < 0.10 else None
