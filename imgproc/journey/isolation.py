"""Keeps one bad row from stopping a pass over all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from imgproc.core import metrics
from imgproc.core.error_reports import report
from imgproc.db.engine import db
from imgproc.journey.outage import is_away

log = structlog.get_logger(__name__)


@contextmanager
def isolated(step: str, **ids: Any) -> Iterator[None]:
    """Log an exception of the body with the ids of its row, so that the pass goes on with the next row.

    Raises:
        sqlalchemy.exc.DBAPIError, InfrastructureError: a server is away, which would fail every row.
    """
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise
        db.session.rollback()
        log.exception("sweep_step_failed", step=step, **ids)
        report(error, step=step, **{name: str(value) for name, value in ids.items()})
        metrics.JOB_FAILURES.labels("sweeper").inc()
