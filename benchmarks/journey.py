"""The whole journey on a running stack: what workers spend beside the codec, with a fast and a slow host."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import psutil

from benchmarks.corpus import jpeg
from benchmarks.measure import Cost
from benchmarks.peers import ours
from benchmarks.results import Table
from benchmarks.servers import image_host
from tests.e2e.stack import Stack, running_stack

SIZE = "M"


def measure(*, quick: bool = False) -> Table:
    """Worker CPU an image over the codec's, and images a second over a bare loop of two processes."""
    images, rounds = (40, 1) if quick else (200, 3)
    source = jpeg(SIZE)
    fast, slow, loops = [], [], []
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder, "data"), WORKERS="4") as stack:
        with image_host(source) as host:
            _journey(stack, host, 40)  # every worker makes its connections and compiles its statements
        for _ in range(rounds):
            loops.append(_codec_loop(source, images))
            for runs, delay in ((fast, 0.0), (slow, 0.3)):
                with image_host(source, delay=delay) as host:
                    runs.append(_journey(stack, host, images))
    names = ("codec in two processes", "journey", "journey, host answers after 300 ms")
    rows = [_row(name, runs, loops, images) for name, runs in zip(names, (loops, fast, slow), strict=True)]
    columns = ["", "CPU ms an image", "÷ codec", "images/s", "÷ codec loop"]
    notes = [
        f"{images} products of one {SIZE} image each, {rounds} rounds in turns, medians; all on the same cores.",
        "CPU of the worker processes alone: download, both puts, compress, database, queue.",
    ]
    return Table("The whole journey", columns, rows, notes)


def _row(name: str, runs: list[Cost], loops: list[Cost], images: int) -> list[str | float]:
    cpu, codec = (median(run.cpu for run in each) / images for each in (runs, loops))
    wall, bare = (median(run.wall for run in each) / images for each in (runs, loops))
    return [name, 1000 * cpu, cpu / codec, 1 / wall, bare / wall]


def _codec_loop(source: bytes, images: int) -> Cost:
    """Compress on every core, two processes, nothing else."""
    started = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        cpu = sum(pool.map(partial(_codec_cpu, source), [images // 2] * 2))
    return Cost(cpu, time.perf_counter() - started)


def _codec_cpu(source: bytes, images: int) -> float:
    started = time.process_time()
    for _ in range(images):
        ours(source)
    return time.process_time() - started


def _journey(stack: Stack, host: str, images: int) -> Cost:
    """Upload a CSV and wait for its end; the CPU that the workers used for it."""
    lines = ["S. No.,Product Name,Input Image Urls", *(f"{n}.,SKU {n},{host}/{n}.jpg" for n in range(1, images + 1))]
    workers = stack.children("rq_worker.py")
    before, started = sum(map(_cpu, workers)), time.perf_counter()
    status = stack.wait(stack.submit("\n".join(lines))["requestId"], seconds=600)
    cost = Cost(sum(map(_cpu, workers)) - before, time.perf_counter() - started)
    assert status["status"] == "completed", status
    return cost


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
