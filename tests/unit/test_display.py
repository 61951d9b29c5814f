"""How the pages write numbers, and the commands that they offer to copy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.web import display
from imgproc.web.curl import upload_command


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_940, "9.9 kB"),
        (99_900, "100 kB"),
        (999_600, "1.0 MB"),
        (2_100_000_000, "2.1 GB"),
        (5_000_000_000_000_000, "5,000 TB"),
    ],
)
def test_sizes_have_a_unit_that_keeps_them_short(count: int, text: str) -> None:
    """By units of 1,000, as file managers show them."""
    assert display.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "under a second"), (40, "40 s"), (239, "4 min"), (3600, "1 h"), (7500, "2 h 5 min"), (400_000, "5 days")],
)
def test_durations_are_rounded_to_what_matters(seconds: float, text: str) -> None:
    """No more than two units."""
    assert display.duration(seconds) == text


@pytest.mark.parametrize(
    ("sizes", "text"),
    [((100, 38), "−62%"), ((100, 103), "+3%"), ((100, 100), "same size"), ((None, 3), "")],  # noqa: RUF001
)
def test_savings_tell_smaller_from_larger(sizes: Any, text: str) -> None:
    """An image may become larger, and that is said."""
    assert display.saved_percent(sizes) == text


@pytest.mark.parametrize("url", ["javascript:alert(1)", " https://x", "data:text/html,x", "//x/a.jpg", "JavaScript:1"])
def test_only_web_addresses_become_links(url: str) -> None:
    """Others lead nowhere."""
    assert display.safe_link(url) == "#"


@pytest.mark.parametrize(
    "name", ["a b.csv", "it's; rm -rf ~ #.csv", "$(reboot).csv", "`id`.csv", 'say "hi".csv', "-o.csv"]
)
def test_a_copied_command_runs_nothing_else(tmp_path: Path, name: str) -> None:
    """The name of a file is one word of the shell, whatever it is."""
    app = create_app(load_settings({"DATA_DIR": str(tmp_path)}))
    with app.test_request_context("/"):
        words = shlex.split(upload_command(name, {"reference": "a' b"}))
    assert words[:3] == ["curl", "-F", f'file=@"{name.replace(chr(34), "")}"']
    assert words[3:] == ["--form-string", "reference=a' b", "http://localhost/api/upload"]
