"""A short run on either database: about sixty faults upon a thousand images, and nothing is lost, doubled or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import Options, run


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_nothing_accepted_is_ever_lost(tmp_path: Path, database: str) -> None:
    """The same plan as `make chaos ARGS="--seed 1"`; the figures are printed where the test fails."""
    report = run(Options(seed=1, images=1000, faults=60, database=database, pace=0.4), tmp_path, tell=print)
    assert report.defects == [], report.figures
    assert sum(report.faults.values()) >= 55  # those that hit; a trap may find nobody
    assert len(report.faults) >= (19 if database == "postgresql" else 18)
