"""How the pages write numbers, bytes, durations and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from babel import Locale, dates, numbers
from babel.units import format_unit
from flask_babel import get_locale
from markupsafe import Markup

from imgproc.journey.summary import rfc3339
from imgproc.web.texts import gettext, ngettext
from imgproc.web.timeline import timeline
from imgproc.web.words import failure_title, separated_by, status_text, status_tone, word

BYTE_UNITS = ("kilobyte", "megabyte", "gigabyte", "terabyte")
ISO_TIME, ISO_CLOCK = "yyyy-MM-dd HH:mm:ss", "HH:mm:ss"
MAX_URL_CHARS = 56


def number(value: float, pattern: str | None = None) -> str:
    """A number as the language writes it: `1,234` or `1.234`. A whole one unless `pattern` says otherwise."""
    return numbers.format_decimal(value, format=pattern or "#,##0", locale=_locale())


def percent(value: float) -> str:
    """Whole percent as the language writes them: `90%` or `90 %`."""
    return numbers.format_percent(value / 100, locale=_locale())


def size(count: int) -> str:
    """Bytes in units of 1,000, with three digits or fewer: `812 bytes`, `3.4 MB`, `128 kB`."""
    if count < 1000:
        return ngettext("%(count)s byte", "%(count)s bytes", count, count=count)
    value, units = count / 1000, iter(BYTE_UNITS)
    unit = next(units)
    while round(value) >= 1000 and (larger := next(units, None)):
        value, unit = value / 1000, larger
    pattern = "0.0" if value < 10 else "#,##0"
    return format_unit(value, f"digital-{unit}", "short", format=pattern, locale=_locale())


def duration(seconds: float) -> str:
    """A duration to read: `under a second`, `40 s`, `4 min`, `2 h 5 min`, `3 days`."""
    if seconds < 1:
        return gettext("under a second")
    if seconds < 60:
        return gettext("%(seconds)s s", seconds=number(seconds))
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return gettext("%(minutes)s min", minutes=minutes)
    if hours >= 48:
        return ngettext("%(count)s day", "%(count)s days", days := round(hours / 24), count=number(days))
    if minutes:
        return gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
    return gettext("%(hours)s h", hours=hours)


def milliseconds(count: int) -> str:
    """A short time to read: `under 1 ms`, `240 ms`, `3.4 s`, and longer ones as `duration` has them."""
    if count < 1000:
        return gettext("%(count)s ms", count=count) if count else gettext("under 1 ms")
    seconds = count / 1000
    return gettext("%(seconds)s s", seconds=number(seconds, "0.0")) if count < 9950 else duration(seconds)


def ago(moment: datetime) -> str:
    """How long ago a time was."""
    seconds = (datetime.now(timezone.utc) - moment).total_seconds()
    if seconds < 45:
        return gettext("just now")
    days = round(seconds / 86400)
    if days >= 2:  # other languages decline the noun after "ago"
        return ngettext("%(count)s day ago", "%(count)s days ago", days, count=number(days))
    return gettext("%(duration)s ago", duration=duration(max(60, seconds)))


def exact(moment: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{_moment(dates.format_datetime, moment, ISO_TIME)} UTC"


def time_element(moment: datetime | str) -> Markup:
    """A time in UTC as an element, which the page's script writes for the reader's time zone; a text is RFC 3339's."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return Markup('<time datetime="{}">{}</time>').format(rfc3339(moment), exact(moment))


def clock(moment: datetime) -> str:
    """The time of day in UTC."""
    return f"{_moment(dates.format_time, moment, ISO_CLOCK)} UTC"


def _moment(write: Callable[..., str], moment: datetime, english: str) -> str:
    """A time as the language writes it. English readers do not agree on the order of day and month, so it has ISO's."""
    pattern = english if _locale().language == "en" else "medium"
    return write(moment.astimezone(timezone.utc), pattern, locale=_locale())


def _locale() -> Locale:
    return get_locale() or Locale("en")


def images(count: int) -> str:
    """A number of images."""
    return ngettext("%(count)s image", "%(count)s images", count, count=number(count))


def done_of(progress: Any) -> str:
    """How many of the images of a request are made: `15 of 16 images`."""
    done, total = number(progress.completed), number(progress.total)
    return ngettext(
        "%(done)s of %(count)s image", "%(done)s of %(count)s images", progress.total, done=done, count=total
    )


def products(count: int) -> str:
    """A number of products."""
    return ngettext("%(count)s product", "%(count)s products", count, count=number(count))


def translated(texts: Mapping[str, str]) -> dict[str, str]:
    """The marked texts of a table in the language of the page."""
    return {name: gettext(text) for name, text in texts.items()}


def saving(image: Any) -> str:
    """How much smaller the rendition of an image is, in percent; `+3%` is larger."""
    return saved_percent((image.source_bytes, image.output_bytes))


def saved_percent(sizes: tuple[int | None, int | None]) -> str:
    """How many percent the second size is below the first."""
    before, after = sizes
    if not before or after is None:
        return ""
    change = round(100 * (after / before - 1))
    return f"{'−' if change < 0 else '+'}{percent(abs(change))}" if change else gettext("same size")  # noqa: RUF001 - a minus


def likeness(value: float) -> str:
    """How much a rendition looks like its source, in whole percent; 100 only if it is the same."""
    return percent(100 if value == 1 else min(99, round(100 * value)))


def safe_link(url: str) -> str:
    """The URL if a browser may follow it, else an address that leads nowhere: no `javascript:` becomes a link."""
    return url if url.lower().startswith(("http://", "https://")) else "#"


def short_url(url: str) -> str:
    """The URL without its scheme, and without its middle where it is long: the host and the name of the file tell."""
    rest = url.partition("://")[2] or url
    return rest if len(rest) <= MAX_URL_CHARS else f"{rest[:26]}…{rest[-(MAX_URL_CHARS - 27) :]}"


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "percent": percent,
    "size": size,
    "duration": duration,
    "milliseconds": milliseconds,
    "likeness": likeness,
    "timeline": timeline,
    "ago": ago,
    "exact": exact,
    "moment": time_element,
    "images": images,
    "products": products,
    "done_of": done_of,
    "word": word,
    "separated_by": separated_by,
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
