"""What the table of `make hosts` says about a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.hosts import figures
from benchmarks.hosts.figures import Figures, publish, save, saved


@pytest.mark.parametrize(
    ("row", "misses"),
    [
        (Figures("all is well", done=1.0, requests=1.15, share=0.85), []),
        (Figures("one image is missing", done=0.99, requests=1.0), ["images"]),
        (Figures("it asks too often", done=1.0, requests=1.2, share=0.8), ["requests", "share"]),
        (Figures("a host that goes away may be asked more", done=1.0, requests=1.6, goes_away=True), []),
        (Figures("the neighbour is within its bar", alone=1.0, beside=4.0), []),
        (Figures("the neighbour waits", alone=1.0, beside=4.1), ["neighbour"]),
    ],
    ids=lambda given: given.title if isinstance(given, Figures) else "",
)
def test_a_row_names_the_bars_it_misses(row: Figures, misses: list[str]) -> None:
    """Each bar is judged by itself."""
    assert list(row.misses()) == misses


def test_a_row_measured_again_replaces_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other rows keep the figures of earlier runs; the page keeps its text around the tables."""
    file, page = tmp_path / "hosts.json", tmp_path / "hosts.md"
    page.write_text(f"before\n{figures.BEGIN}old\n{figures.END}after\n")
    monkeypatch.setattr(figures, "PAGE", page)
    save({"five": Figures("five a second", done=0.5), "silent": Figures("silent", alone=1.0, beside=2.0)}, file)
    save({"five": Figures("five a second", done=1.0)}, file)
    publish(saved(file), {"five": Figures("five a second", done=0.25)})
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "five a second (`five`) | 100% | 25%" in text
    assert "silent (`silent`) | 1.00 | 2.00 | 2.00" in text
