"""Taking a request away: its row is marked at once, its objects and rows follow in small steps.

Every step may be taken twice, and is taken again by the sweeper until nothing is left, so an outage of the object store
delays a removal and never leaves an object behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

from imgproc.core.errors import InfrastructureError, LeaseLost
from imgproc.db import reads
from imgproc.db.timeouts import LONG, allow
from imgproc.db.transitions import removal
from imgproc.journey.isolation import isolated
from imgproc.journey.services import toolbox

ROWS_A_STEP = 1000
REQUESTS_A_PASS = 20

log = structlog.get_logger(__name__)


def remove(request_id: str) -> bool:
    """Take a request out of sight for good, and take the first step; the sweeper takes the others. False: no such."""
    if not removal.remove(request_id):
        return False
    try:
        step(request_id)
    except InfrastructureError as error:
        log.warning("removal_delayed", request_id=request_id, code=error.code, detail=error.detail)
    return True


def step(request_id: str) -> None:
    """Stop the work, then delete up to 1,000 objects of each bucket, then up to 1,000 products, then the request.

    Raises:
        StorageUnavailable: the same step is due again.
    """
    with allow(LONG):
        _step(request_id)


def _step(request_id: str) -> None:
    removal.fence(request_id)
    if not toolbox().store.delete_some(request_id):
        return
    if removal.delete_products(request_id, limit=ROWS_A_STEP):
        removal.forget(request_id)


def remove_due() -> None:
    """One pass of the sweeper: what RETENTION_DAYS says goes, and every removal goes on by a step.

    A removal that fails is put off and holds up no other.

    Raises:
        StorageUnavailable: the rest waits for the object store.
    """
    days = toolbox().settings.retention_days
    if days is not None and (expired := removal.remove_expired(days, limit=REQUESTS_A_PASS)):
        log.info("retention_ended", requests=expired)
    for request_id in removal.due(limit=REQUESTS_A_PASS):
        with isolated("removal", request_id=request_id):
            _step_or_put_off(request_id)


def _step_or_put_off(request_id: str) -> None:
    try:
        step(request_id)
    except Exception:
        removal.put_off(request_id)
        raise


@contextmanager
def leaving_nothing(request_id: str) -> Iterator[None]:
    """A worker that lost its lease because the request was removed deletes what it may have stored too late."""
    try:
        yield
    except LeaseLost:
        if reads.get_request(request_id) is None:
            with suppress(InfrastructureError):  # the sweeper looks again
                toolbox().store.delete_some(request_id)
        raise
