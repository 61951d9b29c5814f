"""When a host is cut off, the others go on and take its work over, and its late results change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import network

KINDS = "link down,lost to host,lost from host"


@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(network.missing()), reason=network.missing() or "never")
def test_a_lost_host_does_not_stop_the_others(tmp_path: Path) -> None:
    """After each of three cuts the work is taken over within 30 s, and the checker finds no defect."""
    size = ["--cuts", "3", "--hosts", "2", "--workers", "3", "--lease", "4", "--between", "40", "--file", "50"]
    size += ["--answer", "0.2"]
    more = ["--enough", "--kinds", KINDS, "--folder", str(tmp_path)]
    done = network.run_in_namespace("tests.chaos.cuts", [*size, *more])
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "3 cuts: 0 stopped the others, 0 kept products" in done.stdout
