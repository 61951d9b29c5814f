"""Three hosts with clocks minutes apart lose no work when one is cut off and when the servers are slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import network


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(network.missing()), reason=network.missing() or "never")
def test_nothing_is_lost_on_three_hosts(tmp_path: Path) -> None:
    """The host that was cut off is fenced when it is back, every product completes, and the checker finds no defect."""
    done = network.run_in_namespace("tests.chaos.three_hosts", ["--folder", str(tmp_path)])
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "was cut off" in done.stdout
    assert "38 of 38 products completed" in done.stdout
