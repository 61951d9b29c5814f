"""Turns on traces and error reports where the settings ask for them. Otherwise neither is loaded."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import structlog

from imgproc.core import error_reports, tracing
from imgproc.core.settings import Settings

FLUSH_SECONDS = 2.0  # that the end of a process may be delayed by what was not sent yet

log = structlog.get_logger(__name__)


def configure(settings: Settings) -> None:
    """Send traces and errors where the settings say. An extra that is missing is a line in the log, no failure."""
    collector = settings.otel_exporter_otlp_endpoint or settings.otel_exporter_otlp_traces_endpoint
    wants_traces = collector and not settings.otel_sdk_disabled
    tracing.use(_load("otel", "OtelTracer", settings) if wants_traces else None)
    error_reports.use(_load("sentry", "SentryReporter", settings) if settings.sentry_dsn else None)


def flush() -> None:
    """Send what is waiting before a process ends, for a bounded time in all."""
    give_up = time.monotonic() + FLUSH_SECONDS
    error_reports.flush(FLUSH_SECONDS / 2)
    tracing.flush(max(0.0, give_up - time.monotonic()))


def _load(extra: str, name: str, settings: Settings) -> Any:
    """An instance of the class `name` in the module named like the extra; None if it cannot be made."""
    try:
        return getattr(import_module(f"imgproc.core.{extra}"), name)(settings)
    except ImportError as error:
        detail = f"Install the extra: pip install 'imgproc[{extra}]'."
        log.warning("telemetry_off", extra=extra, error=str(error), detail=detail)
    except Exception as error:  # noqa: BLE001 - libraries read variables of their own, and none may stop the service
        log.warning("telemetry_off", extra=extra, error=str(error), detail=f"Correct the settings of {extra}.")
    return None
