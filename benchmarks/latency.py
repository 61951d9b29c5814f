"""How long a small file takes from its upload to its webhook: on an idle stack, and beside a very large file.

Each file has 2 products with 3 pictures of 1200 by 900 pixels. `--number` gives the rows of the large file.
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from typing import NamedTuple

import requests

from benchmarks.corpus import mosaic, thumbnail
from benchmarks.measure import say
from benchmarks.results import Table
from benchmarks.runs import csv_of, stack_of, warm_up
from tests.support.host_process import image_host_process
from tests.support.http_server import Answer, Call, serve
from tests.support.photographs import encode
from tests.support.stack import Stack

SIDES = 1200, 900
PRODUCTS, PICTURES = 2, 3
PAUSE = 0.1  # seconds between the end of a file and the next
ROWS = 100_000
PATIENCE = 60  # seconds


class Journey(NamedTuple):
    """Seconds from the upload to its answer, and to the webhook; CPU seconds of all processes of the stack."""

    answer: float
    webhook: float
    cpu: float


class Receiver:
    """Remembers when each webhook arrived."""

    def __init__(self) -> None:
        self._arrivals: queue.Queue[tuple[str, float]] = queue.Queue()

    def respond(self, call: Call) -> Answer:
        """Take the time."""
        self._arrivals.put((json.loads(call.body)["data"]["requestId"], time.perf_counter()))
        return Answer(204)

    def arrival(self, request_id: str) -> float:
        """When the webhook of this request arrived; waits for it."""
        while True:
            found, moment = self._arrivals.get(timeout=PATIENCE)
            if found == request_id:
                return moment


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """Milliseconds of the first files, of later ones, and of files beside a large one."""
    files, rows = (10, number or 2_000) if quick else (100, number or ROWS)
    found: dict[str, list[Journey]] = {}
    with ExitStack() as servers:
        stack = servers.enter_context(stack_of())
        host = servers.enter_context(image_host_process(encode(mosaic(SIDES), "JPEG", quality=88)))
        small = servers.enter_context(image_host_process(thumbnail(64)))
        receiver = Receiver()
        webhook = servers.enter_context(serve(receiver.respond))
        found["the first after the start"] = _journeys(stack, host, receiver, webhook, files=files // 5)
        warm_up(stack, small)
        found["on an idle stack"] = _journeys(stack, host, receiver, webhook, files=files)
        with _busy(stack, csv_of(small, rows)):
            found[f"beside {rows:,} rows under way"] = _journeys(stack, host, receiver, webhook, files=files)
    columns = ["files", "number", "to the 202, ms", "to the webhook, median", "p99", "slowest", "CPU ms of the stack"]
    notes = [
        f"Each file: {PRODUCTS} products with {PICTURES} pictures of {SIDES[0]}×{SIDES[1]}; one after the other.",
        f"The CPU beside {rows:,} rows is that of both. The image host, the receiver and the client share the cores.",
    ]
    return Table("From an upload to its webhook", columns, [_row(name, each) for name, each in found.items()], notes)


def _journeys(stack: Stack, host: str, receiver: Receiver, webhook: str, *, files: int) -> list[Journey]:
    say(f"  {files} files")
    return [_journey(stack, csv_of(host, PRODUCTS, images=PICTURES), receiver, webhook) for _ in range(files)]


def _journey(stack: Stack, csv: str, receiver: Receiver, webhook: str) -> Journey:
    time.sleep(PAUSE)
    cpu, started = _cpu(stack), time.perf_counter()
    request_id = stack.submit(csv, webhookUrl=f"{webhook}/webhook")["requestId"]
    answered = time.perf_counter()
    ended = receiver.arrival(request_id)
    return Journey(answered - started, ended - started, _cpu(stack) - cpu)


@contextmanager
def _busy(stack: Stack, csv: str) -> Iterator[None]:
    """The body runs while a large file is planned and processed; then that is cancelled."""
    request_id = stack.submit(csv)["requestId"]
    yield
    assert stack.status(request_id)["status"] == "processing", "The large file ended too soon: give more rows."
    requests.post(f"{stack.url}/api/requests/{request_id}/cancel", timeout=60).raise_for_status()
    stack.wait(request_id, seconds=900)


def _cpu(stack: Stack) -> float:
    times = [each.cpu_times() for each in stack.process.children(recursive=True)]
    return float(sum(each.user + each.system for each in times))


def _row(name: str, journeys: list[Journey]) -> list[str | float]:
    answers, webhooks, cpu = ([1000 * each for each in column] for column in zip(*journeys, strict=True))
    p99 = quantiles(webhooks, n=100, method="inclusive")[98]
    return [name, len(journeys), median(answers), median(webhooks), p99, max(webhooks), median(cpu)]
