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
    """The cost of one run in seconds: CPU time (all threads, system calls included) and wall time."""

    cpu: float
    wall: float


# A case that runs in another process measures itself and returns its cost.
Case = Callable[[], object]


def in_turns(cases: Mapping[str, Case], *, rounds: int, warm_up: bool = True) -> dict[str, Cost]:
    """The median cost of every case. A round runs each case once; with `warm_up`, a first round does not count.

    Every other round runs backwards, so that no case always follows the same one.
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
    """Print progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def seconds_of(usage: resource.struct_rusage) -> float:
    """CPU seconds, system time included."""
    return usage.ru_utime + usage.ru_stime


def of_children(command: Sequence[str | Path], **options: Any) -> Cost:
    """The cost of a command and of all processes that it starts and waits for."""
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


def repeated(case: Case, times: int) -> Case:
    """A case that runs `case` several times, so that it takes long enough to measure."""

    def run() -> Cost | None:
        own = [cost for cost in (case() for _ in range(times)) if isinstance(cost, Cost)]
        return Cost(*map(sum, zip(*own, strict=True))) if own else None

    return run


def in_own_process(code: str) -> str:
    """The output of `code` in a fresh interpreter, whose memory no earlier work has touched."""
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def reset_peak() -> int:
    """Reset the peak of this process's memory (Linux, proc(5), clear_refs); return the bytes in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    """The most bytes in use since `reset_peak`, or since the start if the system cannot reset it."""
    return (
        _status("VmHWM") if Path("/proc/self/status").exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
