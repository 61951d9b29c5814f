"""No parser of untrusted bytes takes more than linear time, for any input."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from imgproc.core.errors import ImgprocError
from imgproc.pipeline.http.addresses import check_url
from imgproc.pipeline.http.session import retry_after
from imgproc.pipeline.http.urls import join, parse_url
from imgproc.pipeline.http.validators import DATE, ETAG
from tests.unit.growing_inputs import IMAGES, TEXTS
from tests.unit.hostile_images import run

pytestmark = pytest.mark.exhaustive

LEAST = 0.01  # CPU seconds; below that the clock and the caches matter more
GROWTH = 8  # the most for four times the input: linear is 4, quadratic is 16
CLEAR = 6  # one measurement of each is enough up to here


def _once(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


def _seconds(call: Callable[[], object]) -> float:
    """The lowest of three measurements, because other processes can only add time."""
    taken = []
    for _ in range(3):
        taken.append(_once(call))
        if taken[-1] < LEAST:
            break
    return min(taken)


def _check_growth(call: Callable[[int], Callable[[], object]], count: int) -> None:
    # The largest comes first, because the first call fills the caches.
    four, two = (_once(call(times * count)) for times in (4, 2))
    one = _seconds(call(count))
    if max(two, four) < CLEAR * max(one, LEAST):
        return
    one, two, four = (_seconds(call(times * count)) for times in (1, 2, 4))
    assert two < GROWTH * max(one, LEAST), (one, two, four)
    assert four < GROWTH * max(one, LEAST), (one, two, four)


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_read_in_linear_time(name: str) -> None:
    """This covers all of `compress`: our own checks, Pillow, and the libraries below."""
    make, count = IMAGES[name]

    def reading(size: int) -> Callable[[], object]:
        source = make(size)
        return lambda: run(source)

    run(make(1))
    _check_growth(reading, count)


def _check_url(text: str) -> None:
    with suppress(ImgprocError):
        check_url(text, allowed_networks=())


def _join(text: str) -> None:
    join(parse_url("http://a.example/b/c"), text)


READERS: dict[str, Callable[[str], object]] = {
    "a URL": _check_url,
    "a Location": _join,
    "a Retry-After": lambda text: retry_after({"Retry-After": text}, at_most=300),
    "an ETag": ETAG.fullmatch,
    "a Last-Modified": DATE.fullmatch,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_hosts_are_read_in_linear_time(name: str, reader: str) -> None:
    """These are URLs and header values; http.client accepts lines of up to 64 KiB."""
    make, count = TEXTS[name]

    def reading(size: int) -> Callable[[], object]:
        text = make(size)
        return lambda: READERS[reader](text)

    _check_growth(reading, count)
