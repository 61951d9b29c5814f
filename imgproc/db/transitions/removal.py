"""The removal of a request: it is hidden at once, and its objects and rows are deleted in small steps."""

from __future__ import annotations

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import db, single_statement, transaction
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.statuses import ENDED, IN_FLIGHT, ProductStatus, RequestStatus

LAST_PUT_SECONDS = 600  # after this long no worker that held a part of the request stores anything more
LONGEST_DELAY = 3600  # seconds until a removal that keeps failing is tried again
MOST_DOUBLINGS = 11  # the delay doubles from 2 seconds this many times, and then is LONGEST_DELAY
SECONDS_A_DAY = 86_400


def remove(request_id: str) -> bool:
    """Hide a request and end the lease of its plan or finalization. Returns False if it is removed already."""
    with single_statement() as connection:
        return connection.execute(_removing().where(ProcessingRequest.id == request_id)).rowcount == 1


def remove_expired(days: float, *, limit: int) -> int:
    """Hide up to `limit` requests that ended more than `days` ago. Returns how many."""
    expired = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.finished_at < db_now(-days * SECONDS_A_DAY), ProcessingRequest.removed_at.is_(None))
        .where(ProcessingRequest.status.in_(ENDED))
        .limit(limit)
    )
    with single_statement() as connection:
        return connection.execute(_removing().where(ProcessingRequest.id.in_(expired))).rowcount


def _removing() -> sa.Update:
    """If work may be running, the row stays for LAST_PUT_SECONDS, so that objects stored late are deleted, too."""
    last_put = sa.case((ProcessingRequest.status.in_(ENDED), 0.0), else_=float(LAST_PUT_SECONDS))
    return (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.removed_at.is_(None))
        .values(
            status=RequestStatus.CANCELLED,
            cancel_requested_at=sa.func.coalesce(ProcessingRequest.cancel_requested_at, db_now()),
            removed_at=db_now(),
            idempotency_key=None,
            attempt=0,
            lease_token=None,
            lease_until=db_now(last_put),
        )
    )


def due(*, limit: int) -> list[str]:
    """The ids of removed requests that have something left to delete now."""
    rows_left = sa.exists().where(Product.request_id == ProcessingRequest.id)
    not_before = ProcessingRequest.not_before
    statement = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.removed_at.is_not(None))
        .where(sa.or_(ProcessingRequest.lease_until < db_now(), rows_left))
        .where(sa.or_(not_before.is_(None), not_before <= db_now()))
        .order_by(ProcessingRequest.lease_until)
        .limit(limit)
    )
    with db.engine.connect() as connection:  # a read, which waits for no writer
        return list(connection.execute(statement).scalars())


def postpone(request_id: str) -> None:
    """Delay a removal whose step failed: by 2, 4, 8 … seconds, at most an hour.

    It is never given up, because the caller was told that everything is deleted.
    """
    doubled = sa.literal(2).bitwise_lshift(ProcessingRequest.attempt)
    delay = sa.case((ProcessingRequest.attempt < MOST_DOUBLINGS, doubled), else_=LONGEST_DELAY)
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.removed_at.is_not(None))
        .values(attempt=ProcessingRequest.attempt + 1, not_before=db_now(delay))
    )
    with single_statement() as connection:
        connection.execute(statement)


def fence(request_id: str) -> None:
    """End the leases of a removed request's products, and delete its webhook deliveries."""
    take = (
        sa.update(Product)
        .where(Product.request_id == request_id, Product.status.in_(IN_FLIGHT))
        .values(status=ProductStatus.CANCELLED, lease_token=None, lease_until=None)
    )
    with transaction() as connection:
        connection.execute(take)
        connection.execute(sa.delete(WebhookDelivery).where(WebhookDelivery.request_id == request_id))


def delete_products(request_id: str, *, limit: int) -> bool:
    """Delete up to `limit` products with their images. Returns False if more are left."""
    some = sa.select(Product.id).where(Product.request_id == request_id).limit(limit)
    with transaction() as connection:
        return connection.execute(sa.delete(Product).where(Product.id.in_(some))).rowcount < limit


def forget(request_id: str) -> None:
    """Delete the row of a removed request, once no worker can store anything more for it."""
    statement = (
        sa.delete(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.removed_at.is_not(None))
        .where(ProcessingRequest.lease_until < db_now())
    )
    with single_statement() as connection:
        connection.execute(statement)
