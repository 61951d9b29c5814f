"""The image host in a process of its own, so that a benchmark does not count its CPU time as ours."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from tests.support.http_server import Answer
from tests.support.image_host import ImageHost, serving_images


class _OnePicture(ImageHost):
    """Answers every request with the same bytes, `delay` seconds later."""

    def __init__(self, body: bytes, delay: float) -> None:
        super().__init__()
        self._answer = Answer(body=body, delay=delay)

    def answer(self, path: str) -> Answer:
        """Return the same answer every time, and count nothing."""
        return self._answer


def _run(body: bytes, delay: float, told: Connection) -> None:
    with serving_images(_OnePicture(body, delay)) as host:
        told.send(host.url)
        told.recv()  # never comes: the process is terminated


@contextmanager
def image_host_process(body: bytes, *, delay: float = 0) -> Iterator[str]:
    """The base URL of a host that answers every request with `body`, `delay` seconds after it was asked."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(body, delay, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()
