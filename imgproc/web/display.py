"""How the pages write numbers, bytes, durations and times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from imgproc.journey.summary import rfc3339
from imgproc.web.timeline import timeline

BYTE_UNITS = ("kB", "MB", "GB", "TB")
MAX_URL_CHARS = 56
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


def milliseconds(count: int) -> str:
    """A short time to read: `under 1 ms`, `240 ms`, `3.4 s`, and longer ones as `duration` has them."""
    if count < 1000:
        return f"{count} ms" if count else "under 1 ms"
    return f"{count / 1000:.1f} s" if count < 9950 else duration(count / 1000)


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


FAILURE_TITLES = {
    "invalid_url": "The address is not a URL",
    "forbidden_address": "The address may not be reached",
    "dns_failed": "The host name does not exist",
    "connect_failed": "The host cannot be reached",
    "tls_failed": "The host's certificate is wrong",
    "timeout": "The host did not answer in time",
    "too_slow": "The host sends too slowly",
    "too_many_redirects": "The address redirects in circles",
    "http_401": "The host wants a password",
    "http_403": "The host refuses to give the picture",
    "http_404": "The picture is not there",
    "http_410": "The picture was removed",
    "http_429": "The host asks for fewer requests",
    "not_an_image": "Something else than a picture came",
    "unsupported_format": "The format cannot be read",
    "file_too_large": "The picture has too many bytes",
    "too_many_pixels": "The picture has too many pixels",
    "corrupt_image": "The picture is damaged",
    "truncated_image": "The picture is cut off",
    "encode_failed": "The picture could not be written",
    "worker_lost": "Our worker stopped while making it",
    "cancelled": "Cancelled before it was started",
    "bot_blocked": "The host blocks programs",
    "login_required": "The host wants a login",
    "host_unavailable": "The host was away for too long",
}


def failure_title(code: str) -> str:
    """Why an image failed, in a few words."""
    return FAILURE_TITLES.get(code) or f"{code.replace('http_', 'HTTP ').replace('_', ' ').capitalize()}"


def saving(image: Any) -> str:
    """How much smaller the rendition of an image is, in percent; `+3 %` is larger."""
    return saved_percent((image.source_bytes, image.output_bytes))


def saved_percent(sizes: tuple[int | None, int | None]) -> str:
    """How many percent the second size is below the first."""
    before, after = sizes
    if not before or after is None:
        return ""
    percent = round(100 * (after / before - 1))
    return f"−{-percent} %" if percent < 0 else f"+{percent} %" if percent else "same size"  # noqa: RUF001 - a minus


def likeness(value: float) -> str:
    """How much a rendition looks like its source, in whole percent; 100 % only if it is the same."""
    return f"{100 if value == 1 else min(99, round(100 * value))} %"


def safe_link(url: str) -> str:
    """The URL if a browser may follow it, else an address that leads nowhere: no `javascript:` becomes a link."""
    return url if url.lower().startswith(("http://", "https://")) else "#"


def short_url(url: str) -> str:
    """The URL without its scheme, and without its middle where it is long: the host and the name of the file tell."""
    rest = url.partition("://")[2] or url
    return rest if len(rest) <= MAX_URL_CHARS else f"{rest[:26]}…{rest[-(MAX_URL_CHARS - 27) :]}"


def clock(moment: datetime) -> str:
    """The time of day in UTC."""
    return f"{moment.astimezone(timezone.utc):%H:%M:%S} UTC"


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "size": size,
    "duration": duration,
    "milliseconds": milliseconds,
    "likeness": likeness,
    "timeline": timeline,
    "ago": ago,
    "exact": exact,
    "plural": plural,
    "rfc3339": rfc3339,
    "status_text": status_text,
    "status_tone": status_tone,
    "failure_title": failure_title,
    "saving": saving,
    "saved_percent": saved_percent,
    "safe_link": safe_link,
    "short_url": short_url,
    "clock": clock,
}
