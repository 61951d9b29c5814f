"""The times of the stages of an image: each without the stages inside it, and drawn as a bar on the pages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from imgproc.journey.stage_times import STAGES, stages_ms
from imgproc.web import display
from imgproc.web.timeline import LABELS, Timeline, timeline


def line_of(stages: dict[str, int] | None, **image: Any) -> Timeline | None:
    """The timeline of an image with these times."""
    return timeline(SimpleNamespace(**{"stages_ms": stages, "duration_ms": None} | image))


def test_a_download_is_without_the_stages_inside_it() -> None:
    """Connecting includes TLS, and both objects are one stage."""
    spent = {"wait": 0.1, "download": 1.0, "dns": 0.2, "connect": 0.1, "tls": 0.2, "first_byte": 0.3, "put": 0.004}
    assert stages_ms(spent) == {
        "wait": 100,
        "dns": 200,
        "connect": 300,
        "first_byte": 300,
        "download": 200,
        "store": 4,
    }


def test_a_stage_that_did_not_take_place_is_left_out() -> None:
    """A failed download has no bytes to decode."""
    assert stages_ms({"wait": 0.0, "download": 0.3}) == {"wait": 0, "download": 300}


def test_the_bar_is_filled_and_names_every_stage() -> None:
    """What no stage has measured is shown as well."""
    line = line_of({"wait": 10, "download": 60, "decode": 20}, duration_ms=100)
    assert line is not None
    assert [(each.stage, each.ms) for each in line.parts] == [
        ("wait", 10),
        ("download", 60),
        ("decode", 20),
        ("other", 20),
    ]
    assert sum(each.width for each in line.parts) == pytest.approx(100, abs=0.1)
    assert (line.work_ms, line.is_cut, line.is_reused) == (100, False, False)
    assert set(LABELS) == {*STAGES, "other"}


def test_a_long_wait_leaves_room_for_the_rest() -> None:
    """It takes half of the bar, and says that it took longer."""
    line = line_of({"wait": 60_000, "decode": 30, "encode": 10})
    assert line is not None
    assert [each.width for each in line.parts] == [50, 37.5, 12.5]
    assert (line.parts[0].ms, line.is_cut) == (60_000, True)


@pytest.mark.parametrize(
    ("stages", "is_reused"),
    [({"wait": 1, "copy": 3}, True), ({"copy": 3, "download": 9, "store": 3}, False), ({"store": 3}, False)],
)
def test_a_copy_is_reused(stages: dict[str, int], *, is_reused: bool) -> None:
    """A picture that could not be copied was made, though."""
    line = line_of(stages)
    assert line is not None
    assert line.is_reused is is_reused


@pytest.mark.parametrize("stages", [{"wait": 0}, {"wait": 5}, {"wait": 0, "copy": 0}])
def test_stages_of_no_time_are_no_fault(stages: dict[str, int]) -> None:
    """They have no width."""
    line = line_of(stages)
    assert line is not None
    assert sum(each.width for each in line.parts) in {0, 100}


def test_nothing_measured_is_no_timeline() -> None:
    """As of images that an older version made."""
    assert line_of(None) is None


@pytest.mark.parametrize(
    ("count", "text"), [(0, "under 1 ms"), (240, "240 ms"), (1000, "1.0 s"), (9949, "9.9 s"), (61_000, "1 min")]
)
def test_short_times_have_a_unit(count: int, text: str) -> None:
    """Milliseconds below a second."""
    assert display.milliseconds(count) == text


@pytest.mark.parametrize(("value", "text"), [(1.0, "100%"), (0.9999, "99%"), (0.874, "87%"), (0.0, "0%")])
def test_only_the_same_picture_is_wholly_alike(value: float, text: str) -> None:
    """Rounding makes nothing the same."""
    assert display.likeness(value) == text
