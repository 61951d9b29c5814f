"""How long `GET /api/status/{id}` takes while a very large request is processed, and by the size of the request."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from statistics import median, quantiles

import requests

from benchmarks.corpus import thumbnail
from benchmarks.filling import add_request, house
from benchmarks.measure import say
from benchmarks.results import Table
from benchmarks.runs import csv_of, stack_of, warm_up
from tests.support.host_process import image_host_process
from tests.support.stack import Stack

SIDE = 64
PACE = 0.025  # seconds between two looks
ROUNDS = 2
Times = Mapping[str, list[float]]


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """Percentiles under load over those without, of as many looks."""
    products, looks = number or (2_000 if quick else 100_000), 40 if quick else 300
    sizes = sorted({1, 1_000, products})
    idle: Times = defaultdict(list)
    busy: Times = defaultdict(list)
    with ExitStack() as servers:
        stack = servers.enter_context(stack_of())
        host = servers.enter_context(image_host_process(thumbnail(SIDE)))
        warm_up(stack, host)
        ended = _ended_requests(stack, sizes)
        _look(stack, ended, looks=looks // 4, into=defaultdict(list))  # every thread of the server warms up
        for number_of_round in range(1, ROUNDS + 1):
            say(f"  round {number_of_round} of {ROUNDS}")
            file = csv_of(host, products)
            _look_while_busy(stack, ended, file, looks=looks, into=busy)
            _look(stack, ended, looks=looks, into=idle)
    return _table(idle, busy, products, looks)


def _ended_requests(stack: Stack, sizes: Iterable[int]) -> dict[str, str]:
    """Requests that have ended, put into the database as they are."""
    with house(stack.environ):
        return {f"ended, of {size:,} product{'s'[: size > 1]}": add_request(size, done=size) for size in sizes}


def _look_while_busy(stack: Stack, ended: dict[str, str], file: str, *, looks: int, into: Times) -> None:
    """Poll while a large request is planned and processed; then cancel it, and wait for its end."""
    request_id = stack.submit(file)["requestId"]
    _look(stack, ended | {"under way": request_id}, looks=looks, into=into)
    assert stack.status(request_id)["status"] == "processing", "It ended too soon: give more products."
    requests.post(f"{stack.url}/api/requests/{request_id}/cancel", timeout=60).raise_for_status()
    stack.wait(request_id, seconds=900)


def _look(stack: Stack, ids: Mapping[str, str], *, looks: int, into: Times) -> None:
    """Milliseconds of so many looks at each request in turns, at a fixed pace over one connection."""
    with requests.Session() as session:
        due = time.perf_counter()
        for _ in range(looks):
            for name, request_id in ids.items():
                started = time.perf_counter()
                session.get(f"{stack.url}/api/status/{request_id}", timeout=60).raise_for_status()
                into[name].append((time.perf_counter() - started) * 1000)
                due += PACE
                time.sleep(max(0, due - time.perf_counter()))


def _table(idle: Times, busy: Times, products: int, looks: int) -> Table:
    rows: list[list[str | float]] = []
    for name, times in busy.items():
        alone = idle.get(name) or idle[f"ended, of {products:,} products"]
        figures = [median(alone), median(times), _p99(alone), _p99(times), _p99(times) / _p99(alone), max(times)]
        rows.append([name, *figures])
    columns = [
        "request asked for",
        "p50 idle, ms",
        "p50 busy, ms",
        "p99 idle, ms",
        "p99 busy, ms",
        "p99 busy ÷ idle",
        "slowest busy, ms",
    ]
    notes = [
        f"Busy: a request of {products:,} products with a picture of {SIDE}×{SIDE} each is planned and processed."
        f" {ROUNDS * looks} looks at each request with and without, in turns, one look every {PACE * 1000:.0f} ms.",
        "What is under way has no idle time of its own; the ended request of as many products stands in for it.",
        "The client shares the cores with the workers, so its own waits for one are part of the busy times.",
    ]
    return Table("GET /api/status/{id}", columns, rows, notes)


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100, method="inclusive")[98]
