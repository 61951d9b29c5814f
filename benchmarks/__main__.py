"""`python -m benchmarks [TABLE ...]`: measure the named tables, or all of them."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import signal
import sys
import tempfile
from functools import partial

from benchmarks.measure import say
from benchmarks.results import MEMORY, Table, markdown, save

TABLES = (
    "codec", "imgproxy", "scales", "smart", "looks", "memory", "threads", "stages", "scan", "plan", "sweep", "profile",
    "finalize", "journey", "naive", "shell", "small", "status", "growth", "footprint", "accept",
    "latency",
)  # fmt: skip


def main() -> None:
    """Measure and save one table after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing saved: a short try")
    parser.add_argument("--number", type=int, help="images or products, for the tables that take a number")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    stay_in_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers stop, as with Ctrl-C
    for name in arguments.tables or TABLES:
        say(f"{name} ...")
        table = _measured(name, quick=arguments.quick, number=arguments.number)
        print(markdown(table) if arguments.quick else save(name, table), flush=True)


def stay_in_memory() -> None:
    """Keep the folders of all servers in memory, unless TMPDIR is set.

    The time to create files on a disk depends on earlier deletions, and every table deletes its stack.
    """
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
        tempfile.tempdir = os.environ["TMPDIR"] = MEMORY


def _measured(name: str, *, quick: bool, number: int | None) -> Table:
    """One table, of `number` images or products if a number is given and the table takes one."""
    measure = partial(importlib.import_module(f"benchmarks.{name}").measure, quick=quick)
    if number is not None and "number" in inspect.signature(measure).parameters:
        measure = partial(measure, number=number)
    table: Table = measure()
    return table


if __name__ == "__main__":
    main()
