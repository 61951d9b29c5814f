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
    "codec", "scales", "smart", "memory", "threads", "stages", "scan", "plan", "sweep", "profile",
    "journey", "naive", "shell", "small", "status", "growth",
)  # fmt: skip


def main() -> None:
    """Measure and save one table after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing saved: to see that it runs")
    parser.add_argument("--number", type=int, help="images or products, in tables that can be of any length")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    _stay_in_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped, as by Ctrl-C
    for name in arguments.tables or TABLES:
        say(f"{name} ...")
        table = _measured(name, quick=arguments.quick, number=arguments.number)
        print(markdown(table) if arguments.quick else save(name, table), flush=True)


def _stay_in_memory() -> None:
    """Keep the folders of all servers in memory, unless TMPDIR names a place.

    What a disk takes to make files depends on what was deleted from it before, and every table deletes its stack.
    """
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
        tempfile.tempdir = os.environ["TMPDIR"] = MEMORY


def _measured(name: str, *, quick: bool, number: int | None) -> Table:
    """One table, of `number` images or products where it was given and the table takes it."""
    measure = partial(importlib.import_module(f"benchmarks.{name}").measure, quick=quick)
    if number is not None and "number" in inspect.signature(measure).parameters:
        measure = partial(measure, number=number)
    table: Table = measure()
    return table


if __name__ == "__main__":
    main()
