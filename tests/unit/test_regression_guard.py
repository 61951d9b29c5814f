"""The regression guard fails where work takes more instructions than are stored, and says what it cannot compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.regression.__main__ import MARGIN, main

SETTING = {"python": "3.11.7", "machine": "x86_64"}
STORED = {"compress a JPEG": 1_000_000, "scan a CSV": 2_000_000}
Guard = Callable[..., int]


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """The guard with stored counts, and a counter that counts what the test says."""
    stored = tmp_path / "counts.json"
    stored.write_text(json.dumps({"setting": SETTING, "counts": STORED}))

    def run(counts: dict[str, int], *arguments: str, installed: bool = True, setting: dict[str, str] = SETTING) -> int:
        return main(
            arguments, stored=stored, is_installed=lambda: installed, setting=lambda: setting, count=lambda: counts
        )

    return run


@pytest.mark.parametrize(
    ("factor", "status"),
    [
        pytest.param(0.5, 0, id="half"),
        pytest.param(1.0, 0, id="as many"),
        pytest.param(MARGIN - 0.001, 0, id="within the margin"),
        pytest.param(MARGIN + 0.001, 1, id="just beyond it"),
        pytest.param(2.0, 1, id="twice as many"),
    ],
)
def test_fails_only_beyond_the_margin(
    guard: Guard, capsys: pytest.CaptureFixture[str], factor: float, status: int
) -> None:
    """One piece of work is enough, and its line names it."""
    assert guard(STORED | {"scan a CSV": round(2_000_000 * factor)}) == status
    lines = capsys.readouterr().out.splitlines()
    assert [("regression" in line) for line in lines] == [False, status == 1]


def test_says_in_one_line_that_valgrind_is_missing(guard: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has no valgrind can go on."""
    assert guard({}, installed=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Skipped: instructions are counted by valgrind, which is not installed (Debian: apt install valgrind)."
    ]


def test_does_not_compare_counts_of_other_versions(guard: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    """Another Python takes other numbers of instructions for the same work."""
    assert guard({"scan a CSV": 10**9}, setting=SETTING | {"python": "3.14.0"}) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "python 3.11.7" in line
    assert "x86_64" not in line


def test_stores_counts_to_compare_with(guard: Guard) -> None:
    """After an intended change the new counts are stored, and hold from then on."""
    slower = {name: 2 * count for name, count in STORED.items()}
    assert guard(slower) == 1
    assert guard(slower, "--store") == 0
    assert guard(slower) == 0
