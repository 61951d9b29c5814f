"""The systemd units, checked without running them: each starts a process that exists, as compose does."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "ops/systemd").glob("*.service"))
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def unit_of(path: Path) -> RawConfigParser:
    """The sections of a unit; names of settings keep their case."""
    unit = RawConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way
    unit.read_string(path.read_text())
    return unit


def role_of(path: Path) -> str:
    """The service of compose that does the same."""
    return path.stem.removeprefix("imgproc-")


def test_each_role_has_a_unit() -> None:
    """The API, the workers, the webhooks and the sweeper."""
    assert {role_of(path) for path in UNITS} == {"web", "worker", "deliveries", "sweeper"}


@pytest.mark.parametrize("path", UNITS, ids=role_of)
def test_a_unit_runs_what_compose_runs(path: Path) -> None:
    """The same command, with as much time to stop and as little right to do harm."""
    service = unit_of(path)["Service"]
    command = SERVICES[role_of(path)].get("command") or yaml.safe_load(
        (ROOT / "Dockerfile").read_text().rpartition("CMD ")[2]
    )
    program, *arguments = shlex.split(service["ExecStart"])
    assert [Path(program).name, *arguments] == command
    assert f"{service['TimeoutStopSec']}s" == SERVICES[role_of(path)]["stop_grace_period"]
    assert (service["User"], service["CapabilityBoundingSet"], service["ProtectSystem"]) == ("imgproc", "", "strict")
    assert {"MemoryMax", "TasksMax"} <= set(service)


def test_the_tables_are_brought_up_to_date_before_the_api_starts() -> None:
    """The command is that of compose's `migrate`."""
    [web] = [path for path in UNITS if role_of(path) == "web"]
    program, *arguments = shlex.split(unit_of(web)["Service"]["ExecStartPre"])
    assert [Path(program).name, *arguments] == SERVICES["migrate"]["command"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)"
)
def test_systemd_accepts_every_unit(tmp_path: Path) -> None:
    """It knows every setting, and finds every program."""
    for path in UNITS:
        here = path.read_text().replace("/opt/imgproc/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / path.name).write_text(here)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("*.service")))]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in checked.stderr.splitlines() if "imgproc" in line]
    assert (checked.returncode, complaints) == (0, []), checked.stderr
