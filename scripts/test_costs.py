"""What each test file costs: wall time, CPU of the test's own process, and CPU of the processes it started.

`pytest -p scripts.test_costs` writes a line of JSON for each test into the folder that TEST_COSTS names;
`python -m scripts.test_costs FOLDER` prints the table.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest


def _now() -> tuple[float, float, float]:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = sum(map(_cpu, psutil.Process().children(recursive=True)))
    return time.monotonic(), time.process_time(), ended.ru_utime + ended.ru_stime + running


def _cpu(process: psutil.Process) -> float:
    """The CPU seconds of a process and of the children that it has waited for."""
    with suppress(psutil.NoSuchProcess):
        return float(sum(process.cpu_times()[:4]))
    return 0.0


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, None, None]:
    """Measure a test with the fixtures that it sets up and tears down."""
    before = _now()
    yield
    costs = [after - start for after, start in zip(_now(), before, strict=True)]
    folder = Path(os.environ["TEST_COSTS"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{os.getpid()}.jsonl").open("a") as file:
        file.write(json.dumps([item.nodeid, *costs]) + "\n")


def main(folder: str) -> None:
    """Print the files, the dearest first."""
    files: dict[str, list[float]] = defaultdict(lambda: [0.0] * 4)
    for log in Path(folder).glob("*.jsonl"):
        for line in log.read_text().splitlines():
            nodeid, *costs = json.loads(line)
            row = files[nodeid.partition("::")[0]]
            row[:] = [total + cost for total, cost in zip(row, [1, *costs], strict=True)]
    total = [sum(column) for column in zip(*files.values(), strict=True)]
    print(f"{'tests':>6} {'wall s':>8} {'own CPU':>8} {'children':>8}")
    for name, row in sorted([*files.items(), ("total", total)], key=lambda file: -sum(file[1][2:])):
        print(f"{row[0]:6.0f} {row[1]:8.1f} {row[2]:8.1f} {row[3]:8.1f}  {name}")


if __name__ == "__main__":
    main(sys.argv[1])
