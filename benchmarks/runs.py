"""Requests on a running stack, and the CPU time of its workers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.measure import Cost
from tests.support.stack import Stack, running_stack

HEADER = "S. No.,Product Name,Input Image Urls"
WARM_UP = 10  # products for each worker
RUNS = count()
MIB = 2**20


@contextmanager
def stack_of(workers: int | str = "") -> Iterator[Stack]:
    """A stack in its own folder, with so many workers or the default number."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder, "data"), WORKERS=str(workers), WORKER_PROCESSES="") as stack,
    ):
        yield stack


def csv_of(host: str, products: int, *, images: int = 1) -> str:
    """A file of so many products, each with so many pictures of `host` under URLs that no earlier file has.

    For a URL of an earlier request imgproc would copy the earlier result.
    """
    lines, run = [HEADER], next(RUNS)
    for row in range(1, products + 1):
        urls = ",".join(f"{host}/{run}/{row}-{position}.jpg" for position in range(images))
        lines.append(f'{row}.,SKU {row},"{urls}"')
    return "\n".join(lines)


def process(stack: Stack, host: str, products: int, *, images: int = 1) -> Cost:
    """Upload a CSV and wait for its end; return the CPU time of the workers and the wall time."""
    csv = csv_of(host, products, images=images)
    before, started = worker_cpu(stack), time.perf_counter()
    status = stack.wait(stack.submit(csv)["requestId"], seconds=3 * 3600)
    cost = Cost(worker_cpu(stack) - before, time.perf_counter() - started)
    assert status["status"] == "completed", status
    return cost


def have_memory(size: int) -> None:
    """Use `size` bytes of memory for files, and free them again.

    A virtual machine may have returned free memory to its host, and getting a megabyte back took 2 ms here.
    """
    with tempfile.TemporaryFile() as file:
        for _ in range(size // MIB):
            file.write(bytes(MIB))


def warm_up(stack: Stack, host: str) -> None:
    """Let every worker open its connections and compile its statements."""
    process(stack, host, WARM_UP * stack.settings().workers)


def worker_cpu(stack: Stack) -> float:
    """CPU seconds of the worker processes until now."""
    times = [process.cpu_times() for process in stack.children("-m imgproc worker")]
    return float(sum(each.user + each.system for each in times))
