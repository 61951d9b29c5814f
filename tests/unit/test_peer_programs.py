"""Programs of other projects are built when they are asked for, and what needs a missing one says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import imgproxy
from scripts import programs


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of what `main` builds; nothing is downloaded."""
    found: list[str] = []

    def note(*source_and_target: Any) -> None:
        found.append(source_and_target[-1].name)

    monkeypatch.setattr(programs, "FOLDER", tmp_path)
    monkeypatch.setattr(programs, "build", note)
    monkeypatch.setattr(programs, "build_from_git", note)
    monkeypatch.setattr(programs, "install_wheel", lambda *_: None)
    return found


def test_builds_imgproxy_only_when_it_is_named(built: list[str]) -> None:
    """Who checks S3 servers needs no C compiler and no libvips."""
    assert programs.main([]) == 0
    assert built == list(programs.GO_PROGRAMS)
    assert programs.main(["imgproxy"]) == 0
    assert built[-1] == "imgproxy"


def test_a_table_without_imgproxy_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and no figures."""
    monkeypatch.setattr(imgproxy, "find", lambda _name: None)
    table = imgproxy.measure(quick=True)
    assert not table.rows
    (line,) = table.notes
    assert "make programs ARGS=imgproxy" in line
