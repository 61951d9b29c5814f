"""A short run on each database: sixty faults during a thousand images lose, duplicate and spoil nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.host_faults import HOST_FAULTS
from tests.chaos.run import Options, run


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_nothing_accepted_is_ever_lost(tmp_path: Path, database: str) -> None:
    """The plan is that of `make chaos ARGS="--seed 1"`; a failure prints the figures."""
    report = run(Options(seed=1, images=1000, faults=60, database=database, pace=0.4), tmp_path, tell=print)
    assert report.defects == [], report.figures
    of_hosts = {kind: count for kind, count in report.faults.items() if kind in HOST_FAULTS}
    assert sum(report.faults.values()) - sum(of_hosts.values()) >= 55  # a trap may catch no process
    assert len(report.faults) - len(of_hosts) >= (19 if database == "postgresql" else 18)
    assert len(of_hosts) >= 5  # a host may be asked for nothing while it is in trouble
