"""A host that is cut off, either way or both: the others go on, its work is theirs, and its late word is nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import network

ROOT = Path(__file__).parent.parent.parent
KINDS = "link down,lost to host,lost from host"


@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(network.missing()), reason=network.missing() or "never")
def test_a_lost_host_stops_nobody(tmp_path: Path) -> None:
    """Three cuts of hosts in network namespaces; each must be taken over within 30 s, and the checker finds nothing."""
    size = ["--cuts", "3", "--hosts", "2", "--workers", "3", "--lease", "4", "--between", "40", "--file", "100"]
    command = [sys.executable, "-m", "tests.chaos.cuts", *size, "--enough", "--kinds", KINDS, "--folder", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "3 cuts: 0 froze the others, 0 kept products" in done.stdout
