"""The speed-up by a second thread and by a second process: the slow C calls must release the GIL."""

from __future__ import annotations

import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from statistics import median

from benchmarks.corpus import jpeg
from benchmarks.peers import ours
from benchmarks.results import Table


def measure(*, quick: bool = False) -> Table:
    """Images a second of two workers ÷ those of one, in turns."""
    rounds, jobs = (3, 8) if quick else (9, 16)
    rows = []
    for size in ("S", "M", "L"):
        source, count = jpeg(size), jobs * {"S": 6, "M": 1, "L": 1}[size]
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two, ProcessPoolExecutor(2) as processes:
            pools = {"one": one, "threads": two, "processes": processes}
            speeds = _speeds(pools, source, count, rounds=rounds)
        rows.append([size, *(measured for each in speeds for measured in (median(each), max(each)))])
    kinds = ("two threads ÷ one", "two processes ÷ one", "two threads ÷ two processes")
    columns = ["", *(f"{kind}, {which}" for kind in kinds for which in ("median", "best round"))]
    notes = ["By the clock, so other work on the machine matters; two processes show the capacity that was left."]
    return Table("A second worker", columns, rows, notes)


def _speeds(pools: dict[str, Executor], source: bytes, count: int, *, rounds: int) -> tuple[list[float], ...]:
    by_threads, by_processes, threads_of_processes = [], [], []
    for number in range(rounds + 1):
        took = {name: _seconds(pool, source, count) for name, pool in pools.items()}
        if number:  # the first round starts the workers
            by_threads.append(took["one"] / took["threads"])
            by_processes.append(took["one"] / took["processes"])
            threads_of_processes.append(took["processes"] / took["threads"])
    return by_threads, by_processes, threads_of_processes


def _seconds(pool: Executor, source: bytes, count: int) -> float:
    started = time.perf_counter()
    for _ in pool.map(_job, [source] * count):
        pass
    return time.perf_counter() - started


def _job(source: bytes) -> int:
    return len(ours(source))
