"""`python -m benchmarks.regression [--store]`: fail if a piece of work takes more instructions than is stored."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.regression import callgrind

STORED = Path(__file__).parent / "counts.json"
MARGIN = 1.05  # of the stored count; two runs differ by less than 1%
Counts = Mapping[str, int]
Setting = Mapping[str, str]


def main(
    arguments: Sequence[str] | None = None,
    *,
    stored: Path = STORED,
    is_installed: Callable[[], bool] = callgrind.is_installed,
    setting: Callable[[], Setting] = callgrind.setting,
    count: Callable[[], Counts] = callgrind.count,
) -> int:
    """Count, and compare or store; the exit status. Skips, in one line, what cannot be compared."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regression", description=__doc__)
    parser.add_argument("--store", action="store_true", help="store the counts in the place of comparing them")
    store = parser.parse_args(arguments).store
    if not is_installed():
        print("Skipped: instructions are counted by valgrind, which is not installed (Debian: apt install valgrind).")
        return 0
    here = dict(setting())
    if store:
        stored.write_text(json.dumps({"setting": here, "counts": dict(count())}, indent=2) + "\n")
        return 0
    kept = json.loads(stored.read_text())
    if others := [f"{name} {kept['setting'].get(name)}" for name in here if here[name] != kept["setting"].get(name)]:
        print(
            f"Skipped: the stored counts are of {', '.join(others)}. To store new ones: make bench-check ARGS=--store"
        )
        return 0
    return _compare(count(), kept["counts"])


def _compare(counts: Counts, kept: Counts) -> int:
    """Print a line for each piece of work; 1 if one takes more instructions than the margin allows."""
    too_many = 0
    for name, instructions in counts.items():
        ratio = instructions / kept[name]
        too_many += (is_worse := ratio > MARGIN)
        verdict = f"more than {MARGIN}: a regression" if is_worse else "fine"
        print(f"{name}: {instructions:,} instructions, {ratio:.3f} of {kept[name]:,}: {verdict}")
    return int(too_many > 0)


if __name__ == "__main__":
    sys.exit(main())
