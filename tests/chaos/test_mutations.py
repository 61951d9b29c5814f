"""The suite is red for each of the defects that it is there to find, and green for the code as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.scenarios import Play, finalizing_late, finishing_late, finishing_together, play, ringing_lost

# The play that each mutation fails, and one of the kinds of defect that the checker must name.
RED: dict[str, tuple[Play, str]] = {
    "election_inside": (finishing_together, "not_ended"),
    "no_fencing": (finishing_late, "wrong_end"),
    "sweeper_compares_null": (ringing_lost, "not_ended"),
    "finalize_without_epoch": (finalizing_late, "duplicate_finalization"),
}


@pytest.mark.parametrize(("mutation", "scenario", "kind"), [(name, *red) for name, red in RED.items()], ids=RED)
def test_a_mutation_turns_the_suite_red(tmp_path: Path, mutation: str, scenario: Play, kind: str) -> None:
    """On PostgreSQL, whose transactions run side by side."""
    defects = play([scenario], tmp_path, database="postgresql", mutation=mutation)
    assert kind in {defect.kind for defect in defects}, defects


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_the_code_as_it_is_is_green(tmp_path: Path, database: str) -> None:
    """The same plays end without a defect; the one without sweepers comes last."""
    plays = [ringing_lost, finishing_late, finalizing_late, finishing_together]
    assert play(plays, tmp_path, database=database) == []
