"""Turns, medians, CPU time and memory."""

from __future__ import annotations

import gc
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What one run takes, in seconds: of the CPU (all threads, system calls too), and by the clock."""

    cpu: float
    wall: float


# A case that runs elsewhere (in a process of its own) measures itself and returns its cost.
Case = Callable[[], object]


def in_turns(cases: Mapping[str, Case], *, rounds: int, warm_up: bool = True) -> dict[str, Cost]:
    """The median cost of every case. A round runs each once; the first warms up and does not count, unless told.

    Every other round goes backwards, so that no case always follows the same neighbour.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    order = list(cases.items())
    for number in range(0 if warm_up else 1, rounds + 1):
        say(f"  round {number} of {rounds}")
        for name, case in order if number % 2 else reversed(order):
            cost = _run(case)
            if number:
                costs[name].append(cost)
    return {name: _median(runs) for name, runs in costs.items()}


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def seconds_of(usage: resource.struct_rusage) -> float:
    """CPU, the system's part included."""
    return usage.ru_utime + usage.ru_stime


def of_children(command: Sequence[str | Path], **options: Any) -> Cost:
    """What a command costs, with all the processes it starts and waits for."""
    cpu, wall = seconds_of(resource.getrusage(resource.RUSAGE_CHILDREN)), time.perf_counter()
    subprocess.run(command, check=True, **options)
    return Cost(seconds_of(resource.getrusage(resource.RUSAGE_CHILDREN)) - cpu, time.perf_counter() - wall)


def _run(case: Case) -> Cost:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    own = case()
    if isinstance(own, Cost):
        return own
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def _median(runs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*runs, strict=True)))


def again(case: Case, times: int) -> Case:
    """The case as often as makes it long enough to measure; the cost of all where it measures itself."""

    def run() -> Cost | None:
        own = [cost for cost in (case() for _ in range(times)) if isinstance(cost, Cost)]
        return Cost(*map(sum, zip(*own, strict=True))) if own else None

    return run


def in_own_process(code: str) -> str:
    """What a fresh interpreter prints for `code`, so that no earlier work has touched its memory."""
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def forget_peak() -> int:
    """Start the peak of this process's memory anew (Linux, proc(5), clear_refs); the bytes in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    """The most bytes in use since `forget_peak`, or since the start where the system cannot forget."""
    return (
        _status("VmHWM") if Path("/proc/self/status").exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
