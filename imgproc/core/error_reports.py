"""Reports unexpected errors, ours and never those of users' files, to a service such as Sentry.

This module loads nothing of Sentry. `sentry` does, and is only loaded where SENTRY_DSN is set.
"""

from __future__ import annotations

from typing import Protocol

import structlog
from structlog.contextvars import get_contextvars

IDS = ("request_id", "product_id", "delivery_id", "trace_id")  # of the work, as every log line carries them

log = structlog.get_logger(__name__)


class Reporter(Protocol):
    """What sends reports; see `sentry`."""

    def report(self, error: BaseException, tags: dict[str, str]) -> None:
        """Queue a report, without waiting."""

    def flush(self, seconds: float) -> None:
        """Send what is waiting, for at most `seconds`."""


_reporter: Reporter | None = None


def use(reporter: Reporter | None) -> None:
    """Send reports with `reporter` from now on, or none."""
    global _reporter  # noqa: PLW0603 - a process has one
    _reporter = reporter


def report(error: BaseException, **tags: str) -> None:
    """Report an error with the ids of the present work. `tags` are ids, codes and routes, never values of a file."""
    if _reporter is None:
        return
    bound = get_contextvars()
    try:
        _reporter.report(error, {name: str(bound[name]) for name in IDS if name in bound} | tags)
    except Exception as failure:  # noqa: BLE001 - whoever reports an error handles it, and must not meet another
        log.warning("report_failed", error=str(failure))


def flush(seconds: float) -> None:
    """Send the reports that are waiting, for at most `seconds`."""
    if _reporter is not None:
        _reporter.flush(seconds)
