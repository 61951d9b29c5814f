"""`make` on a machine where nothing is installed yet."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from imgproc.embedded.ports import DEMO_PORTS, free_port

ROOT = Path(__file__).parents[2]


def test_reports_that_no_package_index_answers(tmp_path: Path) -> None:
    """`make` prints one line with the remedy instead of pip's retries and its error about a missing package."""
    for path in [ROOT / "Makefile", *ROOT.glob("requirements*.txt"), ROOT / "benchmarks/thumbor/requirements.txt"]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS"))}
    environ |= {"PIP_INDEX_URL": f"http://127.0.0.1:{free_port(DEMO_PORTS)}/simple", "PIP_RETRIES": "1"}
    environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    done = subprocess.run(["make", "demo"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    remedy = "Connect this machine to the internet, or name a mirror: PIP_INDEX_URL=https://..."
    assert said == [f"No package index answers. {remedy}"]
    assert done.returncode != 0
    assert not [*(tmp_path / ".venv").glob(".installed-*")]
