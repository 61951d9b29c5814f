"""Deletes a request: its row is marked as removed at once, and its objects and rows are deleted in small steps.

Every step is safe to run twice, and the sweeper runs steps until nothing is left. So an outage of the object store
delays a removal, and never leaves an object behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

from imgproc.core.errors import InfrastructureError, LeaseLost
from imgproc.db import reads
from imgproc.db.engine import db
from imgproc.db.timeouts import LONG, allow
from imgproc.db.transitions import removal
from imgproc.journey.isolation import isolated
from imgproc.journey.services import Services, services

ROWS_A_STEP = 1000
REQUESTS_A_PASS = 20

log = structlog.get_logger(__name__)


def remove(services: Services, request_id: str) -> bool:
    """Hide a request for good, and run the first step; the sweeper runs the others. False if there is none."""
    if not removal.remove(request_id):
        return False
    try:
        step(services, request_id)
    except InfrastructureError as error:
        log.warning("removal_delayed", request_id=request_id, code=error.code, detail=error.detail)
    return True


def step(services: Services, request_id: str) -> None:
    """Stop the work, then delete up to 1,000 objects of each bucket, then up to 1,000 products, then the request.

    Raises:
        StorageUnavailable: the same step is due again.
    """
    with allow(LONG):
        _step(services, request_id)


def _step(services: Services, request_id: str) -> None:
    removal.fence(request_id)
    if not services.store.delete_some(request_id):
        return
    if removal.delete_products(request_id, limit=ROWS_A_STEP):
        removal.forget(request_id)


def remove_due() -> None:
    """Run one pass: remove the requests that RETENTION_DAYS has expired, and run a step of every removal that is due.

    A removal that fails is postponed and holds up no other.

    Raises:
        StorageUnavailable: the other removals wait for the object store.
    """
    found = services()
    days = found.settings.retention_days
    if days is not None and (expired := removal.remove_expired(days, limit=REQUESTS_A_PASS)):
        log.info("requests_expired", requests=expired)
    for request_id in removal.due(limit=REQUESTS_A_PASS):
        with isolated("removal", request_id=request_id):
            _step_or_postpone(found, request_id)


def _step_or_postpone(services: Services, request_id: str) -> None:
    try:
        step(services, request_id)
    except Exception:
        removal.postpone(request_id)
        raise


@contextmanager
def clean_up_if_removed(services: Services, request_id: str) -> Iterator[None]:
    """Delete what a worker stored too late, if it lost its lease because the request was removed."""
    try:
        yield
    except LeaseLost:
        removed = reads.get_request(request_id) is None
        db.session.rollback()  # a job keeps no connection while it waits for the store
        if removed:
            with suppress(InfrastructureError):  # the sweeper deletes it later
                services.store.delete_some(request_id)
        raise
