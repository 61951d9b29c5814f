"""Programs of other projects are built when they are asked for, and what needs a missing one says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import imgproxy
from scripts import programs


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bool]:
    """What `main` builds, and whether with C libraries; nothing is downloaded."""
    found: dict[str, bool] = {}

    def note(_module: str, _version: str, _package: str, target: Path, *, with_c: bool = False) -> None:
        found[target.name] = with_c

    def skip(*_arguments: Any) -> None:
        """Install no wheel."""

    monkeypatch.setattr(programs, "FOLDER", tmp_path)
    monkeypatch.setattr(programs, "build", note)
    monkeypatch.setattr(programs, "install_wheel", skip)
    return found


def test_builds_imgproxy_with_libvips_only_when_it_is_named(built: dict[str, bool]) -> None:
    """Who checks S3 servers needs no C compiler and no libvips."""
    assert programs.main([]) == 0
    assert built == dict.fromkeys(programs.GO_PROGRAMS, False)
    assert programs.main(["imgproxy"]) == 0
    assert built["imgproxy"]


def test_a_table_without_imgproxy_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and no figures."""
    monkeypatch.setattr(imgproxy, "find", lambda _name: None)
    table = imgproxy.measure(quick=True)
    assert not table.rows
    (line,) = table.notes
    assert "make programs ARGS=imgproxy" in line
