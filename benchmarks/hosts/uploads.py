"""Files of pictures, and waiting for their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from benchmarks.corpus import thumbnail
from benchmarks.runs import HEADER
from tests.support.hosts.replies import Content, always
from tests.support.stack import ENDED, Stack

SIDE = 200  # pixels: pictures so small that the host is the narrow place, not the codec
NEIGHBOURS_PICTURES = 20
POLL = 0.05

Value = TypeVar("Value")


def pictures() -> Content:
    """The same small picture for every request."""
    return always(thumbnail(SIDE))


def csv_of(products: Iterable[Iterable[str]]) -> str:
    """A file of products, each given by its URLs."""
    lines = (f'{row}.,SKU {row},"{",".join(urls)}"' for row, urls in enumerate(products, start=1))
    return "\n".join([HEADER, *lines])


def of_one_host(url: str, products: int, *, images: int = 1, tag: str = "p") -> str:
    """A file of so many products, each with so many pictures of one host."""
    return csv_of([f"{url}/{tag}/{row}-{place}.jpg" for place in range(images)] for row in range(products))


def wait_for_end(stack: Stack, request_id: str, *, seconds: float) -> dict[str, Any]:
    """The status at the end, or after so many seconds."""
    return wait_for(lambda: stack.status(request_id), lambda status: status["status"] in ENDED, seconds=seconds)


def wait_for(read: Callable[[], Value], done: Callable[[Value], bool], *, seconds: float) -> Value:
    """What `read` returns once it is `done`, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while not done(value := read()) and time.monotonic() < deadline:
        time.sleep(POLL)
    return value


def time_of_neighbour(stack: Stack, url: str, *, tag: str, seconds: float) -> float:
    """The seconds from the upload of a small file of good pictures until its end."""
    started = time.monotonic()
    request_id = stack.submit(of_one_host(url, NEIGHBOURS_PICTURES, tag=tag))["requestId"]
    wait_for_end(stack, request_id, seconds=seconds)
    return time.monotonic() - started
