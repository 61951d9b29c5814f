"""Two hundred products of three images, some of them broken in every usual way, while a worker is killed."""

from __future__ import annotations

import csv
import io
import os
import signal
from pathlib import Path
from typing import Any

import requests
from PIL import Image

from tests.support.image_host import REFUSED, SIZES, open_image_host
from tests.support.processes import wait_until
from tests.support.stack import Stack, running_stack

PRODUCTS, IMAGES = 200, 3
GOOD = "/chelsea.jpg"
BROKEN = {
    "/missing.jpg": "http_404",
    "/page.jpg": "not_an_image",
    "/cut.jpg": "truncated_image",
    "/slow.jpg": "timeout",
    REFUSED: "host_unavailable",
}


def _place(row: int, position: int) -> str:
    """Every twentieth image is broken, each kind in turn."""
    number = row * IMAGES + position
    return list(BROKEN)[number // 20 % len(BROKEN)] if number % 20 == 7 else GOOD


LIMITS = {"DOWNLOAD_TIMEOUT": "2", "LEASE_SECONDS": "3", "DEAD_HOST_PATIENCE": "3"}
PLACES = [[_place(row, position) for position in range(IMAGES)] for row in range(PRODUCTS)]


def _urls(shop_url: str) -> list[list[str]]:
    """The three URLs of every row, no two of them the same."""
    return [
        [f"{'' if place == REFUSED else shop_url}{place}?row={row}&position={n}" for n, place in enumerate(places)]
        for row, places in enumerate(PLACES)
    ]


def _kill_a_worker(stack: Stack) -> None:
    """SIGKILL one worker of the pool while it works, and wait for another in its place."""
    (pool,) = [child for child in stack.children("-m imgproc worker") if child.parent().pid == stack.process.pid]
    victim, *others = pool.children()
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: {child.pid for child in pool.children()} - {victim.pid} > {other.pid for other in others})


def test_broken_urls_and_a_killed_worker_change_nothing_else(tmp_path: Path) -> None:
    """Each broken image has its code, every other one a JPEG of half the size, and the output keeps every row."""
    with open_image_host() as shop, running_stack(tmp_path / "var", **LIMITS) as stack:
        urls = _urls(shop.url)
        lines = ["S. No.,Product Name,Input Image Urls"]
        lines += [f'{row + 1}.,SKU {row},"{",".join(cell)}"' for row, cell in enumerate(urls)]
        request_id = stack.submit("\n".join(lines))["requestId"]
        wait_until(lambda: stack.status(request_id)["progress"]["products"]["completed"] >= 20)
        _kill_a_worker(stack)
        status = stack.wait(request_id)
        _check(stack, status, urls)


def _check(stack: Stack, status: dict[str, Any], urls: list[list[str]]) -> None:
    failures = sum(place != GOOD for places in PLACES for place in places)
    assert status["status"] == "completed_with_errors"
    assert status["progress"]["images"] == {"total": 600, "completed": 600 - failures, "failed": failures}
    products = stack.products(status["requestId"])
    found = [[image["error"] and image["error"]["code"] for image in product["images"]] for product in products]
    assert found == [[BROKEN.get(place) for place in places] for places in PLACES]

    output = list(csv.reader(io.StringIO(requests.get(status["outputCsvUrl"], timeout=30).text)))
    assert output[0] == ["S. No.", "Product Name", "Input Image Urls", "Output Image Urls"]
    assert [line[0] for line in output[1:]] == [f"{row + 1}." for row in range(PRODUCTS)]
    assert [line[2].split(",") for line in output[1:]] == urls
    slots = [line[3].split(",") for line in output[1:]]
    given = [[bool(slot) for slot in line] for line in slots]
    assert given == [[place == GOOD for place in places] for places in PLACES]
    width, height = SIZES[GOOD[1:]]
    with requests.Session() as session:
        for slot in filter(None, (slot for line in slots for slot in line)):
            with Image.open(io.BytesIO(session.get(slot, timeout=30).content)) as rendition:
                rendition.load()
            assert (rendition.format, rendition.size) == ("JPEG", (width // 2, height // 2))
