"""The whole journey on a running stack, with a fast and a slow host: the cost of a worker besides the codec.

There are rounds, because the load of the machine changes within minutes. Each has 1,500 images by default: a slow host
delays the first and the last image of a run, which is 5% of the time of 500 images.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from statistics import median

from benchmarks.corpus import jpeg
from benchmarks.measure import Cost, say
from benchmarks.peers import ours
from benchmarks.results import Table
from benchmarks.runs import have_memory, process, stack_of, warm_up
from imgproc.core.config import load_settings
from tests.support.host_process import image_host_process
from tests.support.stack import Stack

SIZE = "M"
A_CORE = (2, 24)  # workers a core: enough for a fast host, and the default
SLOW = 0.3
CODEC = "codec in two processes"
ROUNDS = 2


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """Worker CPU for each image ÷ the codec's, and images a second ÷ a bare codec loop of two processes."""
    rounds = 1 if quick else ROUNDS
    images = (number or (40 if quick else 3_000)) // rounds
    runs: dict[str, list[Cost]] = {CODEC: []}
    with ExitStack() as servers:
        fast, slow = (servers.enter_context(image_host_process(jpeg(SIZE), delay=delay)) for delay in (0, SLOW))
        stacks = {count: servers.enter_context(stack_of(count)) for count in _counts()}
        for stack in stacks.values():
            warm_up(stack, fast)
        for _ in range(rounds):
            runs[CODEC].append(_codec_loop(jpeg(SIZE), images))
            for count, stack in stacks.items():
                runs.setdefault(f"journey, {count} workers", []).append(_journey(stack, fast, images, count))
            most = max(stacks)
            name = f"the same, host answers after {SLOW * 1000:.0f} ms"
            runs.setdefault(name, []).append(_journey(stacks[most], slow, images, most))
    rows = [_row(name, costs, runs[CODEC], images) for name, costs in runs.items()]
    columns = ["", "CPU ms an image", "÷ codec", "images/s", "÷ codec loop"]
    notes = [
        f"{rounds} round(s) of {images} products of one {SIZE} image each, in turns, medians; all on the same cores.",
        "CPU of the worker processes alone: download, both puts, compress, database, queue.",
        f"{load_settings({}).workers} workers are the default on {os.cpu_count()} cores.",
    ]
    return Table("The whole journey", columns, rows, notes)


def _counts() -> list[int]:
    return [each * (os.cpu_count() or 1) for each in A_CORE]


def _row(name: str, runs: list[Cost], loops: list[Cost], images: int) -> list[str | float]:
    cpu, codec = (median(run.cpu for run in each) / images for each in (runs, loops))
    wall, bare = (median(run.wall for run in each) / images for each in (runs, loops))
    return [name, 1000 * cpu, cpu / codec, 1 / wall, bare / wall]


def _codec_loop(source: bytes, images: int) -> Cost:
    """Only compress, in two processes."""
    say(f"  {CODEC}")
    started = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        cpu = sum(pool.map(partial(_codec_cpu, source), [images // 2] * 2))
    return Cost(cpu, time.perf_counter() - started)


def _codec_cpu(source: bytes, images: int) -> float:
    started = time.process_time()
    for _ in range(images):
        ours(source)
    return time.process_time() - started


def _journey(stack: Stack, host: str, images: int, count: int) -> Cost:
    say(f"  {images} images, {count} workers")
    have_memory(images * len(jpeg(SIZE)) * 5 // 4)  # for originals and renditions
    return process(stack, host, images)
