"""`python -m benchmarks [TABLE ...]`: measure the named tables, or all of them."""

from __future__ import annotations

import argparse
import importlib

from benchmarks.results import markdown, save

TABLES = ("codec", "memory", "threads", "stages", "scan", "plan", "journey")


def main() -> None:
    """Measure and save one table after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing saved: to see that it runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    for name in arguments.tables or TABLES:
        table = importlib.import_module(f"benchmarks.{name}").measure(quick=arguments.quick)
        print(markdown(table) if arguments.quick else save(name, table), flush=True)


if __name__ == "__main__":
    main()
