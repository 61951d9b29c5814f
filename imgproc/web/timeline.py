"""The time that each stage of one image took, as a bar to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imgproc.web.texts import N_, gettext

FULL = 100.0  # percent of the width of the bar
LABELS = {
    "wait": N_("Wait"),
    "dns": N_("DNS"),
    "connect": N_("Connect"),
    "first_byte": N_("First byte"),
    "download": N_("Download"),
    "decode": N_("Decode"),
    "encode": N_("Encode"),
    "store": N_("Store"),
    "copy": N_("Copy"),
    "other": N_("Other"),
}


@dataclass(frozen=True)
class Part:
    """One stage: how long it took, and its place in the bar, in percent of the width."""

    stage: str
    label: str
    ms: int
    start: float
    width: float


@dataclass(frozen=True)
class Timeline:
    """The stages of the last attempt at an image, in order. `work_ms` is the time of all but the wait for its turn.

    A wait that is longer than all the rest is drawn as long as that, so that the rest can be seen; `is_cut` says so.
    """

    parts: tuple[Part, ...]
    work_ms: int
    is_reused: bool
    is_cut: bool


def timeline(image: Any) -> Timeline | None:
    """The timeline of an image; None where nothing was measured."""
    stages: dict[str, int] = image.stages_ms or {}
    if not stages:
        return None
    stages = {stage: ms for stage, ms in stages.items() if stage in LABELS}
    wait = stages.get("wait", 0)
    other = (image.duration_ms or 0) + wait - sum(stages.values())  # such as a wait for memory
    if other > 0:
        stages["other"] = other
    rest = sum(stages.values()) - wait
    drawn = stages | ({"wait": min(wait, rest)} if "wait" in stages and rest else {})
    return Timeline(
        parts=_parts(stages, drawn),
        work_ms=rest,
        is_reused="copy" in stages and "store" not in stages,
        is_cut=drawn != stages,
    )


def _parts(stages: dict[str, int], drawn: dict[str, int]) -> tuple[Part, ...]:
    scale, start = FULL / (sum(drawn.values()) or 1), 0.0
    parts = []
    for stage, ms in stages.items():
        width = drawn[stage] * scale
        parts.append(Part(stage, gettext(LABELS[stage]), ms, round(start, 2), round(width, 2)))
        start += width
    return tuple(parts)
