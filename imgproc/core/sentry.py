"""Sends unexpected errors to Sentry, with the SDK of the extra `sentry`.

Only what `error_reports.report` is given is sent: the SDK hooks into nothing. A report has the stack, without values of
variables, the ids of the work and what is left of the message. A thread sends reports from a bounded queue.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import sentry_sdk
from sentry_sdk.utils import event_from_exception

from imgproc import __version__
from imgproc.core.redaction import redact
from imgproc.core.settings import Settings

MESSAGE_CHARS = 300
SENT = ("event_id", "timestamp", "platform", "level", "release", "environment", "exception", "tags", "sdk", "contexts")

_QUERY = re.compile(r"[?#]\S+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")

logging.getLogger("sentry_sdk").setLevel(logging.CRITICAL)
logging.getLogger("sentry_sdk.errors").setLevel(logging.CRITICAL)


class SentryReporter:
    """Sends reports; see `error_reports.Reporter`."""

    def __init__(self, settings: Settings) -> None:
        self._client = sentry_sdk.Client(
            dsn=settings.sentry_dsn,
            release=f"imgproc@{__version__}",
            environment=settings.sentry_environment,
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            send_client_reports=False,
            spotlight=False,
            before_send=_without_values,
        )

    def report(self, error: BaseException, tags: dict[str, str]) -> None:
        """Queue a report. It is dropped if the queue is full."""
        scope = sentry_sdk.Scope()
        for name, value in tags.items():
            scope.set_tag(name, value)
        found, hint = event_from_exception(error, client_options=self._client.options)
        self._client.capture_event(found, hint, scope)

    def flush(self, seconds: float) -> None:
        """Send what is waiting, for at most `seconds`."""
        self._client.flush(timeout=seconds)


def message_of(text: str) -> str:
    """The first line of an error's message, without queries of URLs, quoted values and credentials."""
    line = text.strip().partition("\n")[0][: MESSAGE_CHARS * 4]
    return _QUOTED.sub("'…'", _QUERY.sub("", redact(line)))[:MESSAGE_CHARS]


def _without_values(event: Any, _hint: Any) -> Any:
    """The parts of an event that hold no value of a user: messages of libraries quote URLs, names and rows."""
    for value in event.get("exception", {}).get("values", []):
        value["value"] = message_of(value.get("value") or "")
    return {name: value for name, value in event.items() if name in SENT}
