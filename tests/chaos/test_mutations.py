"""Each scenario fails under its mutation, and passes with the real code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.scenarios import (
    Scenario,
    enqueueing_lost,
    finalizing_late,
    finishing_late,
    finishing_together,
    hosts_in_trouble,
    run_scenarios,
)

# The scenario that finds each mutation, and one kind of defect that the checker must report.
FOUND_BY: dict[str, tuple[Scenario, str]] = {
    "election_inside": (finishing_together, "not_ended"),
    "no_fencing": (finishing_late, "wrong_end"),
    "sweeper_compares_null": (enqueueing_lost, "not_ended"),
    "finalize_without_epoch": (finalizing_late, "duplicate_finalization"),
}


@pytest.mark.parametrize(
    ("mutation", "scenario", "kind"), [(name, *found) for name, found in FOUND_BY.items()], ids=FOUND_BY
)
def test_the_suite_finds_each_mutation(tmp_path: Path, mutation: str, scenario: Scenario, kind: str) -> None:
    """Runs on PostgreSQL, whose transactions are concurrent."""
    defects = run_scenarios([scenario], tmp_path, database="postgresql", mutation=mutation)
    assert kind in {defect.kind for defect in defects}, defects


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_the_real_code_has_no_defect(tmp_path: Path, database: str) -> None:
    """The same scenarios end without a defect; the scenario that stops the sweepers comes last."""
    scenarios = [enqueueing_lost, finishing_late, finalizing_late, finishing_together]
    assert run_scenarios(scenarios, tmp_path, database=database) == []


def test_a_host_in_trouble_costs_no_attempt(tmp_path: Path) -> None:
    """Every image is done once its host has recovered, even where one attempt is all that a product has."""
    assert run_scenarios([hosts_in_trouble], tmp_path, database="sqlite", MAX_ATTEMPTS="1") == []
