"""Runs a pass over all work again and again, also while servers are away."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from imgproc.core import heartbeat
from imgproc.core.error_reports import report
from imgproc.core.errors import InfrastructureError
from imgproc.db.timeouts import LONG, allow
from imgproc.journey.outage import describe, growing_pauses, is_away
from imgproc.journey.services import services

LONGEST_PAUSE = 5.0  # seconds between two passes while a server is away; after an outage all work waits so long

log = structlog.get_logger(__name__)


def repeat(
    app: Flask,
    stop: threading.Event,
    run_pass: Callable[[], None],
    at_most: float = math.inf,
    *,
    beat: bool = False,
) -> None:
    """Run passes until `stop` is set. While a server is away, each try is one line in the log and pauses grow.

    With `beat` each try also tells the health check that the process is alive.
    """
    with app.app_context():
        settings = services().settings
    interval = min(settings.sweep_interval, at_most)
    pause, pauses = interval, growing_pauses(interval, LONGEST_PAUSE)
    while not stop.wait(pause):
        if beat:
            heartbeat.beat(settings.heartbeat_file)
        error = try_pass(app, run_pass)
        if error is not None and is_away(error):
            pause = next(pauses)
        else:
            pause, pauses = interval, growing_pauses(interval, LONGEST_PAUSE)
        if error is not None:
            log.warning("sweep_delayed", retry_in=pause, error=describe(error))


def try_pass(app: Flask, run_pass: Callable[[], None]) -> Exception | None:
    """Run one pass. Returns the error if a server that is away ended it, else None; a bug is logged."""
    with app.app_context(), allow(LONG):
        try:
            run_pass()
        except (DBAPIError, InfrastructureError) as error:
            return error
        except Exception as error:  # a bug must not end the thread, because no other would sweep in its place
            log.exception("sweep_failed")
            report(error, step="sweep")
    return None
