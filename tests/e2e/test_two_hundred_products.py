"""Two hundred products of three images, some of them broken in every usual way, while a worker is killed."""

from __future__ import annotations

import csv
import io
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import requests
from PIL import Image
from skimage import data

from tests.e2e.stack import Stack, running_stack
from tests.processes import wait_until

PRODUCTS, IMAGES = 200, 3
BROKEN = {
    "missing": "http_404",
    "page": "not_an_image",
    "cut": "truncated_image",
    "refused": "connect_failed",
    "slow": "timeout",
}


def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(data.coffee()).save(out, "JPEG", quality=85)
    return out.getvalue()


PHOTO = _jpeg()
WIDTH, HEIGHT = 600, 400


class Shop(BaseHTTPRequestHandler):
    """Serves the photo under every name, but for the names that say how they are broken."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer by the first word of the name."""
        kind = self.path.rpartition("/")[2].partition("-")[0]
        if kind == "missing":
            self.send_error(404)
        elif kind == "page":
            self._send(b"<!doctype html><title>Sign in</title>", "text/html")
        elif kind == "cut":
            self._send(PHOTO[: len(PHOTO) // 2], "image/jpeg")
        else:
            if kind == "slow":
                time.sleep(3)
            self._send(PHOTO, "image/jpeg")

    def _send(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except BrokenPipeError:
            self.close_connection = True  # the downloader had enough

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of the image host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _kind(row: int, position: int) -> str:
    """Every twentieth image is broken, each kind in turn."""
    number = row * IMAGES + position
    return list(BROKEN)[number // 20 % len(BROKEN)] if number % 20 == 7 else "good"


def _catalogue(shop: str) -> list[list[str]]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
    rows = []
    for row in range(PRODUCTS):
        kinds = [_kind(row, position) for position in range(IMAGES)]
        hosts = [closed if kind == "refused" else shop for kind in kinds]
        rows.append(
            [
                f"{host}/{kind}-{row}-{position}.jpg"
                for position, (host, kind) in enumerate(zip(hosts, kinds, strict=True))
            ]
        )
    return rows


def _kill_a_worker(stack: Stack) -> None:
    """SIGKILL one worker of the pool while it works."""
    (pool,) = [child for child in stack.children("rq_worker.py") if child.parent().pid == stack.process.pid]
    victim: psutil.Process = pool.children()[0]
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: len(pool.children()) == 2 and victim.pid not in {child.pid for child in pool.children()})


def test_broken_urls_and_a_killed_worker_change_nothing_else(shop: str, tmp_path: Path) -> None:
    """Each failure has its own code, every other slot a JPEG of half the size, and every row its line in order."""
    urls = _catalogue(shop)
    lines = ["S. No.,Product Name,Input Image Urls"]
    lines += [f'{row + 1}.,SKU {row},"{",".join(cell)}"' for row, cell in enumerate(urls)]
    with running_stack(tmp_path / "var", DOWNLOAD_TIMEOUT="1.5", LEASE_SECONDS="3") as stack:
        request_id = stack.submit("\n".join(lines))["requestId"]
        wait_until(lambda: stack.status(request_id)["progress"]["products"]["completed"] >= 20)
        _kill_a_worker(stack)
        status = stack.wait(request_id)
        _check(stack, status, urls)


def _check(stack: Stack, status: dict, urls: list[list[str]]) -> None:
    broken = [[_kind(row, position) for position in range(IMAGES)] for row in range(PRODUCTS)]
    failures = sum(kind != "good" for row in broken for kind in row)
    assert status["status"] == "completed_with_errors"
    assert status["progress"]["images"] == {"total": 600, "completed": 600 - failures, "failed": failures}
    products = stack.products(status["requestId"])
    found = [[image["error"] and image["error"]["code"] for image in product["images"]] for product in products]
    assert found == [[BROKEN.get(kind) for kind in row] for row in broken]

    output = list(csv.reader(io.StringIO(requests.get(status["outputCsvUrl"], timeout=30).text)))
    assert output[0] == ["S. No.", "Product Name", "Input Image Urls", "Output Image Urls"]
    assert [line[0] for line in output[1:]] == [f"{row + 1}." for row in range(PRODUCTS)]
    assert [line[2].split(",") for line in output[1:]] == urls
    for line, kinds in zip(output[1:], broken, strict=True):
        slots = line[3].split(",")
        assert [bool(slot) for slot in slots] == [kind == "good" for kind in kinds]
        for slot in filter(None, slots):
            with Image.open(io.BytesIO(requests.get(slot, timeout=30).content)) as rendition:
                rendition.load()
                assert (rendition.format, rendition.size) == ("JPEG", (WIDTH // 2, HEIGHT // 2))
