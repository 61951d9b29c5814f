"""How the pages write numbers, bytes, durations and times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from imgproc.journey.summary import rfc3339

BYTE_UNITS = ("kB", "MB", "GB", "TB")
STATUS_TEXTS = {
    "pending": "Waiting to start",
    "processing": "In progress",
    "finalizing": "Writing files",
    "completed": "Done",
    "completed_with_errors": "Done, some failed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
STATUS_TONES = {
    "pending": "live",
    "processing": "live",
    "finalizing": "live",
    "completed": "good",
    "completed_with_errors": "warn",
    "failed": "bad",
    "cancelled": "plain",
}


def number(value: int) -> str:
    """A whole number with separators of thousands."""
    return f"{value:,}"


def size(count: int) -> str:
    """Bytes in units of 1,000, with three digits or fewer: `812 bytes`, `3.4 MB`, `128 kB`."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    value, units = count / 1000, iter(BYTE_UNITS)
    unit = next(units)
    while round(value) >= 1000 and (larger := next(units, None)):
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


def duration(seconds: float) -> str:
    """A duration to read: `under a second`, `40 s`, `4 min`, `2 h 5 min`, `3 days`."""
    if seconds < 1:
        return "under a second"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} days"


def ago(moment: datetime) -> str:
    """How long ago a time was."""
    seconds = (datetime.now(timezone.utc) - moment).total_seconds()
    return "just now" if seconds < 45 else f"{duration(max(60, seconds))} ago"


def exact(moment: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: `1 image`, `2,000 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def status_text(status: str) -> str:
    """The status of a request in words."""
    return STATUS_TEXTS[status]


def status_tone(status: str) -> str:
    """The tone of the pill that shows the status of a request."""
    return STATUS_TONES[status]


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "size": size,
    "duration": duration,
    "ago": ago,
    "exact": exact,
    "plural": plural,
    "rfc3339": rfc3339,
    "status_text": status_text,
    "status_tone": status_tone,
}
