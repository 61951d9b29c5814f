"""What a number of images a day takes: `python -m benchmarks.load_model 1000000 100000000`.

Files arrive during a day whose busiest hour has more than its share. The simulation goes through it minute by minute
with a fixed number of cores, and tells how long the work of a minute waits. The costs are those of
`benchmarks/results/footprint.md`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import deque
from dataclasses import dataclass

from benchmarks.results import FOLDER

MINUTES = 24 * 60
SECONDS = 60
PEAK = 2.0  # the busiest minute ÷ the mean one
PATIENCE = 1, 120  # minutes
GIB = 2**30


@dataclass(frozen=True)
class Cost:
    """Of a product of one image, in the order of the columns of the table. Times in seconds, the rest in bytes."""

    cpu: float
    database_cpu: float
    redis_cpu: float
    transactions: float
    wal: float
    tables: float
    redis_commands: float
    redis_bytes: float


def measured(image: str) -> Cost:
    """The cost by `benchmarks/results/footprint.json`."""
    table = json.loads((FOLDER / "footprint.json").read_text())
    (row,) = (row for row in table["rows"] if row[0] == image)
    return Cost(*(each / 1000 for each in row[1:4]), *row[4:])


@dataclass(frozen=True)
class Day:
    """A day of so many images with so many cores: minutes that work waits, and the images left at its end."""

    cores: int
    longest_wait: int
    left: int


def arrivals(images: int) -> list[int]:
    """Images of each minute: a wave with its peak at noon."""
    wave = [1 + (PEAK - 1) * math.cos(2 * math.pi * (minute / MINUTES - 0.5)) for minute in range(MINUTES)]
    return [round(images / MINUTES * each) for each in wave]


def simulate(images: int, cost: Cost, *, cores: int) -> Day:
    """Go through a day, oldest images first."""
    each_minute = int(cores * SECONDS / cost.cpu)
    waiting: deque[list[int]] = deque()
    longest = 0
    for minute, arrived in enumerate(arrivals(images)):
        waiting.append([minute, arrived])
        room = each_minute
        while waiting and room:
            done = min(room, waiting[0][1])
            room -= done
            waiting[0][1] -= done
            if waiting[0][1]:
                break
            longest = max(longest, minute - waiting.popleft()[0])
    return Day(cores, longest, sum(count for _, count in waiting))


def fewest_cores(images: int, cost: Cost, *, patience: int) -> Day:
    """The fewest cores with which no work waits longer than `patience` minutes, nor beyond the day."""
    low, high = 1, max(2, math.ceil(2 * max(arrivals(images)) * cost.cpu / SECONDS))
    while low < high:
        middle = (low + high) // 2
        day = simulate(images, cost, cores=middle)
        if day.longest_wait <= patience and not day.left:
            high = middle
        else:
            low = middle + 1
    return simulate(images, cost, cores=low)


def lines(images: int, cost: Cost) -> list[str]:
    """The report about a day."""
    peak = max(arrivals(images)) / SECONDS
    soon, late = (fewest_cores(images, cost, patience=minutes) for minutes in PATIENCE)
    wal, queue = peak * cost.wal / 1e6, peak * cost.redis_bytes / 1e6
    return [
        f"{images:,} images a day, {peak:,.0f} a second in the busiest minute",
        f"  workers: {soon.cores:,} cores if work may wait a minute, {late.cores:,} if two hours",
        f"  PostgreSQL: {peak * cost.database_cpu:,.2f} cores, {peak * cost.transactions:,.0f} transactions a second,"
        f" {wal:,.1f} MB of WAL a second, {images * cost.tables / GIB:,.1f} GiB of tables a day",
        f"  Redis: {peak * cost.redis_cpu:,.2f} cores, {peak * cost.redis_commands:,.0f} commands a second,"
        f" {queue:,.1f} MB a second",
        f"  S3: {2 * peak:,.0f} puts a second",
    ]


def main() -> None:
    """Print the report about each number of images, for one size of image."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_model", description=__doc__)
    parser.add_argument("images", nargs="*", type=int, default=[1_000_000, 100_000_000])
    parser.add_argument("--size", default="M", help="of every image: S, M or L, as in the benchmarks")
    given = parser.parse_args()
    for images in given.images:
        print("\n".join(lines(images, measured(given.size))))


if __name__ == "__main__":
    main()
