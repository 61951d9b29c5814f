"""`make hosts`, or `python -m benchmarks.hosts [ROW ...]`: measure the named rows, or all of them."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.__main__ import stay_in_memory
from benchmarks.hosts import neighbours, one_host, own_network
from benchmarks.hosts.figures import BEFORE, NOW, Figures, publish, save, saved, table
from benchmarks.measure import say

ROWS = [*one_host.ROWS, *neighbours.ROWS]


def main() -> int:
    """Measure the rows, print the table, and keep it unless `--quick`; the exit code is 0 if all bars are met."""
    parser = argparse.ArgumentParser(prog="make hosts", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="fewer pictures, nothing saved: a short try")
    parser.add_argument("--into", type=Path, default=NOW, help="the file that keeps the figures (JSON)")
    given = parser.parse_args()
    if unknown := set(given.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    own_network.enter("benchmarks.hosts", sys.argv[1:])
    stay_in_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers stop, as with Ctrl-C
    rows: dict[str, Figures] = {}
    for name in given.rows or ROWS:
        say(f"{name} ...")
        measure = one_host.measure if name in one_host.ROWS else neighbours.measure
        rows[name] = measure(name, quick=given.quick)
        if not given.quick:
            save({name: rows[name]}, given.into)
        say(table({name: rows[name]}, saved(BEFORE)))
    print(table(rows, saved(BEFORE)))
    if not given.quick and given.into == NOW:
        publish(in_order(saved(NOW)), saved(BEFORE))
    return 1 if any(list(row.misses()) for row in rows.values()) else 0


def in_order(rows: dict[str, Figures]) -> dict[str, Figures]:
    """The rows in the order of the command; earlier runs may have measured them in another."""
    return {name: rows[name] for name in ROWS if name in rows}


if __name__ == "__main__":
    sys.exit(main())
