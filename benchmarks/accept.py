"""What a web process accepts: its CPU for an upload and for a poll, on PostgreSQL. It has one core at most."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.measure import in_turns, say
from benchmarks.results import Table
from benchmarks.scan import LIMITS
from imgproc.pipeline.table.read import read_csv, scan_csv
from tests.support.postgresql import postgresql
from tests.support.stack import Stack, running_stack

ROWS = (1, 1000, 10_000)
LARGE = 100_000  # rows of a file whose upload is compared with its scan
HEADER = "S. No.,Product Name,Input Image Urls\n"


def measure(*, quick: bool = False) -> Table:
    """CPU milliseconds of the web process for each call, and how many calls a second fill one core."""
    times = 5 if quick else 40
    with ExitStack() as servers:
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory()))
        stack = servers.enter_context(
            running_stack(folder / "data", DATABASE_URL=servers.enter_context(postgresql()), WORKERS="1")
        )
        # Nothing listens there, and the process of the pool is stopped, so that only the web works.
        for child in stack.children("-m imgproc worker"):
            child.suspend()
        rows: list[list[str | float]] = [
            [f"upload, rows: {count:,}", *_cost(stack, _uploading(stack, count), times)] for count in ROWS
        ]
        large = _cost(stack, _uploading(stack, LARGE), max(2, times // 8))
        rows.append([f"upload, rows: {LARGE:,}", *large])
        accepted = stack.submit(_file(1))["requestId"]
        rows.append(["poll of a status", *_cost(stack, lambda: stack.status(accepted), 10 * times)])
        for child in stack.children("-m imgproc worker"):
            child.resume()
    scan = in_turns({"scan": partial(_scan, _file(LARGE).encode())}, rounds=3)["scan"].cpu
    notes = [
        f"Means of {times} uploads and {10 * times} polls, one after the other, by HTTP on loopback.",
        f"The upload of {LARGE:,} rows takes {large[0] / 1000 / scan:.2f} of the CPU of its scan alone.",
    ]
    return Table("What a web process accepts", ["call", "web, CPU ms", "calls a second of one core"], rows, notes)


def _file(rows: int) -> str:
    return HEADER + "".join(f"{row}.,SKU {row},http://127.0.0.1:9/{row}.jpg\n" for row in range(1, rows + 1))


def _scan(body: bytes) -> None:
    scan_csv(read_csv(io.BytesIO(body), limits=LIMITS))


def _uploading(stack: Stack, rows: int) -> Callable[[], object]:
    file = _file(rows)
    return lambda: stack.submit(file)


def _cost(stack: Stack, call: Callable[[], object], times: int) -> list[float]:
    say(f"  {times} calls")
    call()
    before = _web_cpu(stack)
    for _ in range(times):
        call()
    cpu = (_web_cpu(stack) - before) / times
    return [1000 * cpu, 1 / cpu]


def _web_cpu(stack: Stack) -> float:
    times = [each.cpu_times() for each in stack.children("gunicorn")]
    return float(sum(each.user + each.system for each in times))
