"""The simulation of a day: no image is lost or made twice, and more cores never make work wait longer."""

from __future__ import annotations

import pytest

from benchmarks.load_model import PEAK, Cost, arrivals, fewest_cores, lines, simulate

COST = Cost(cpu=0.05, database_cpu=0.005, redis_cpu=0.001, transactions=8, wal=4000, tables=2000,
            redis_commands=50, redis_bytes=5000)  # fmt: skip
IMAGES = 10_000_000


def test_a_day_has_its_images_and_its_peak() -> None:
    """The busiest minute, at noon, has `PEAK` times the mean."""
    each = arrivals(IMAGES)
    assert sum(each) == pytest.approx(IMAGES, rel=0.001)
    assert max(each) / (IMAGES / len(each)) == pytest.approx(PEAK, rel=0.001)
    assert abs(each.index(max(each)) - len(each) // 2) < 5


def test_more_cores_never_wait_longer() -> None:
    """With few cores images are left at the end of the day; with enough, none waits."""
    days = [simulate(IMAGES, COST, cores=cores) for cores in (1, 2, 4, 8, 16, 32)]
    assert days[0].left
    assert not days[-1].left
    assert days[-1].longest_wait == 0
    assert [day.left for day in days] == sorted((day.left for day in days), reverse=True)


@pytest.mark.parametrize("patience", [0, 1, 120])
def test_the_fewest_cores_are_the_fewest(patience: int) -> None:
    """One core less, and work waits longer or is left."""
    fewest = fewest_cores(IMAGES, COST, patience=patience)
    less = simulate(IMAGES, COST, cores=fewest.cores - 1)
    assert fewest.longest_wait <= patience
    assert not fewest.left
    assert less.longest_wait > patience or less.left


def test_work_that_may_wait_takes_fewer_cores() -> None:
    """The cores must do the mean of a day in any case."""
    soon, late = (fewest_cores(IMAGES, COST, patience=minutes).cores for minutes in (1, 120))
    assert IMAGES * COST.cpu / 86400 <= late < soon


def test_the_report_names_every_server() -> None:
    """Each line is about one."""
    assert [line.split(":")[0].strip() for line in lines(IMAGES, COST)[1:]] == ["workers", "PostgreSQL", "Redis", "S3"]
