"""How long `GET /api/status/{id}` takes while a very large request is processed, by the size of the polled request."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from statistics import median, quantiles

import requests

from benchmarks.corpus import thumbnail
from benchmarks.measure import say
from benchmarks.results import Table
from benchmarks.runs import csv_of, stack_of, warm_up
from benchmarks.tables import add_request, migrated_app
from tests.support.host_process import image_host_process
from tests.support.stack import Stack

SIDE = 64
PACE = 0.025  # seconds between two polls
ROUNDS = 2
Times = Mapping[str, list[float]]


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """Percentiles under load and without, of equally many polls."""
    products, polls = number or (2_000 if quick else 100_000), 40 if quick else 300
    sizes = sorted({1, 1_000, products})
    idle: Times = defaultdict(list)
    busy: Times = defaultdict(list)
    with ExitStack() as servers:
        stack = servers.enter_context(stack_of())
        host = servers.enter_context(image_host_process(thumbnail(SIDE)))
        warm_up(stack, host)
        ended = _ended_requests(stack, sizes)
        _poll(stack, ended, polls=polls // 4, into=defaultdict(list))  # every thread of the server warms up
        for number_of_round in range(1, ROUNDS + 1):
            say(f"  round {number_of_round} of {ROUNDS}")
            file = csv_of(host, products)
            _poll_while_busy(stack, ended, file, polls=polls, into=busy)
            _poll(stack, ended, polls=polls, into=idle)
    return _table(idle, busy, products, polls)


def _ended_requests(stack: Stack, sizes: Iterable[int]) -> dict[str, str]:
    """Insert ended requests straight into the database."""
    with migrated_app(stack.environ):
        return {f"ended, of {size:,} product{'s'[: size > 1]}": add_request(size, done=size) for size in sizes}


def _poll_while_busy(stack: Stack, ended: dict[str, str], file: str, *, polls: int, into: Times) -> None:
    """Poll while a large request is planned and processed; then cancel it and wait for its end."""
    request_id = stack.submit(file)["requestId"]
    _poll(stack, ended | {"in progress": request_id}, polls=polls, into=into)
    assert stack.status(request_id)["status"] == "processing", "The request ended too soon: give more products."
    requests.post(f"{stack.url}/api/requests/{request_id}/cancel", timeout=60).raise_for_status()
    stack.wait(request_id, seconds=900)


def _poll(stack: Stack, ids: Mapping[str, str], *, polls: int, into: Times) -> None:
    """Poll each request so many times in turns, at a fixed pace over one connection; append the milliseconds."""
    with requests.Session() as session:
        due = time.perf_counter()
        for _ in range(polls):
            for name, request_id in ids.items():
                started = time.perf_counter()
                session.get(f"{stack.url}/api/status/{request_id}", timeout=60).raise_for_status()
                into[name].append((time.perf_counter() - started) * 1000)
                due += PACE
                time.sleep(max(0, due - time.perf_counter()))


def _table(idle: Times, busy: Times, products: int, polls: int) -> Table:
    rows: list[list[str | float]] = []
    for name, times in busy.items():
        alone = idle.get(name) or idle[f"ended, of {products:,} products"]
        figures = [median(alone), median(times), _p99(alone), _p99(times), _p99(times) / _p99(alone), max(times)]
        rows.append([name, *figures])
    columns = [
        "polled request",
        "p50 idle, ms",
        "p50 busy, ms",
        "p99 idle, ms",
        "p99 busy, ms",
        "p99 busy ÷ idle",
        "slowest busy, ms",
    ]
    notes = [
        f"Busy: a request of {products:,} products with a picture of {SIDE}×{SIDE} each is planned and processed."
        f" {ROUNDS * polls} polls of each request busy and idle, in turns, one every {PACE * 1000:.0f} ms.",
        "The request in progress has no idle times; those of the ended request of the same size are shown.",
        "The client shares the cores with the workers, so the busy times include its own waits for a core.",
    ]
    return Table("GET /api/status/{id}", columns, rows, notes)


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98]
