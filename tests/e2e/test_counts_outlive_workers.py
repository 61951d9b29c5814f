"""The metrics and logs of a running stack stay right when its processes are killed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from imgproc.embedded.ports import free_port
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost, open_image_host
from tests.support.processes import wait_until
from tests.support.scrapes import Scrape, parse
from tests.support.stack import Stack, running_stack

PORTS = range(9150, 9250)


@pytest.fixture(scope="module")
def shop() -> Iterator[ImageHost]:
    """A host of images that receives webhooks."""
    with open_image_host() as host:
        yield host


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of the stack."""
    return tmp_path_factory.mktemp("metrics") / "var"


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    """A stack whose pool serves metrics too, and which logs every call as JSON."""
    options = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", "ACCESS_LOG": "true", "REUSE_PICTURES": "false"}
    with running_stack(folder, METRICS_PORT=str(free_port(PORTS)), **options) as running:
        yield running


def scrape(stack: Stack) -> Scrape:
    """What the web process says."""
    return parse(requests.get(f"{stack.url}/metrics", timeout=30).text)


def workers(stack: Stack) -> list[psutil.Process]:
    """The processes below the pool."""
    (pool,) = [child for child in stack.children("-m imgproc worker") if child.parent().pid == stack.process.pid]
    found: list[psutil.Process] = pool.children()
    return found


def finish(stack: Stack, shop: ImageHost) -> str:
    """Process a picture and a missing one, and announce the end; the request's id."""
    received = len(shop.announcements)
    csv = csv_of(f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg")
    request_id: str = stack.submit(csv, webhookUrl=f"{shop.url}/webhook")["requestId"]
    assert stack.wait(request_id)["status"] == "completed_with_errors"
    wait_until(lambda: len(shop.announcements) > received)
    wait_until(lambda: requests_delivered(scrape(stack)) == len(shop.announcements))
    return request_id


def requests_delivered(found: Scrape) -> float:
    """How many webhooks were delivered."""
    return found.value("imgproc_deliveries_total", outcome="delivered")


def counted(found: Scrape) -> dict[str, float]:
    """The counters that grow by a known amount with each request of `finish`."""
    return {
        "ended": found.value("imgproc_requests_ended_total"),
        "completed": found.value("imgproc_images_total", outcome="completed"),
        "missing": found.value("imgproc_images_total", outcome="failed", code="http_404"),
        "puts": found.value("imgproc_stage_seconds_count", stage="put"),
        "delivered": requests_delivered(found),
    }


def kill_all(stack: Stack) -> None:
    """Kill all workers, and wait until the pool has counted and replaced them."""
    deaths = scrape(stack).value("imgproc_worker_deaths_total")
    dead = workers(stack)
    for process in dead:
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: scrape(stack).value("imgproc_worker_deaths_total") == deaths + 2)
    wait_until(lambda: scrape(stack).value("imgproc_workers_alive", role="images") == 2)
    assert not any(process.is_running() for process in dead)


def test_killed_processes_lose_no_count(stack: Stack, shop: ImageHost) -> None:
    """All workers are killed twice. What they counted stays, and their successors count on in the same files."""
    files = stack.settings().metrics_dir
    for number in range(1, 4):
        finish(stack, shop)
        now = counted(scrape(stack))
        assert now == {"ended": number, "completed": number, "missing": number, "puts": 2 * number, "delivered": number}
        before = set(files.glob("*.db"))
        kill_all(stack)
        assert counted(scrape(stack)) == now
        if number > 1:
            assert set(files.glob("*.db")) == before


def answers(url: str) -> bool:
    """Whether a server answers there."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def test_the_pool_serves_what_is_counted_here(stack: Stack, shop: ImageHost) -> None:
    """A host without a web process is scraped there, also after the process that serves is killed."""
    finish(stack, shop)
    url = f"http://127.0.0.1:{stack.settings().metrics_port}/metrics"
    wait_until(lambda: answers(url))
    of_pool = parse(requests.get(url, timeout=30).text)
    assert counted(of_pool) == counted(scrape(stack))
    assert "imgproc_up" not in of_pool.names()


def lines(folder: Path) -> list[dict[str, Any]]:
    """The log of the stack."""
    log = (folder.parent / f"{folder.name}.log").read_text()
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def test_every_line_about_a_request_carries_its_id(stack: Stack, shop: ImageHost, folder: Path) -> None:
    """So one search finds the upload, the work on each product, and the webhook; and other work has no ids of it."""
    before = len(lines(folder))
    shop.says("/broken.jpg", Answer(200, body=b"no picture"))
    csv = csv_of([f"{shop.url}/broken.jpg", f"{shop.url}/missing.jpg"])
    request_id = stack.submit(csv, webhookUrl=f"{shop.url}/webhook")["requestId"]
    stack.wait(request_id)
    delivered = "delivery_attempted"
    wait_until(lambda: any(line["event"] == delivered for line in lines(folder)[before:]))
    new = lines(folder)[before:]
    for event in ("product_attempted", "request_ended", delivered):
        assert [line["request_id"] for line in new if line["event"] == event] == [request_id], event
    of_product = [line for line in new if line.get("product_id")]
    assert {line["request_id"] for line in of_product} == {request_id}
    upload = [line for line in new if line["event"] == "call_answered" and line["path"] == "/api/upload"]
    assert [(line["status"], line["request_id"]) for line in upload] == [(202, request_id)]
    assert {line.get("request_id") for line in new if line["event"] == "call_answered"} <= {request_id, None}


def test_the_access_log_holds_no_key_of_a_csv_and_no_query(stack: Stack, shop: ImageHost, folder: Path) -> None:
    """Whoever knows the address of an output CSV can read it."""
    before = len(lines(folder))
    address = stack.status(finish(stack, shop))["outputCsvUrl"]
    assert requests.get(address, timeout=30).ok
    assert requests.get(f"{stack.url}/healthz?token=s3cret", timeout=30).ok
    wait_until(lambda: any(line.get("path") == "/healthz" for line in lines(folder)[before:]))
    calls = [line for line in lines(folder)[before:] if line["event"] == "call_answered"]
    assert "/outputs/<path:key>" in {line["path"] for line in calls}
    shown = json.dumps(calls)
    assert address.rpartition("/")[2] not in shown
    assert "s3cret" not in shown
