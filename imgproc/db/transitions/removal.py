"""The last transition of a request: removed. Nobody sees it any more, and its objects and rows go in small steps."""

from __future__ import annotations

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import db, single_statement, transaction
from imgproc.db.models import ENDED, ProcessingRequest, Product, ProductStatus, RequestStatus, WebhookDelivery
from imgproc.db.transitions.window import IN_FLIGHT

LAST_PUT_SECONDS = 600  # by then no worker that held a part of a removed request stores anything more
LONGEST_DELAY = 3600  # seconds until a removal that keeps failing is tried again
MOST_DOUBLINGS = 11  # of two seconds, below that
SECONDS_A_DAY = 86_400


def remove(request_id: str) -> bool:
    """Take a request out of sight; whoever plans or finalizes it has lost its lease. False where it is gone already."""
    with single_statement() as connection:
        return connection.execute(_removing().where(ProcessingRequest.id == request_id)).rowcount == 1


def remove_expired(days: float, *, limit: int) -> int:
    """Remove requests that ended more than `days` ago, `limit` at most; how many."""
    request = ProcessingRequest
    expired = (
        sa.select(request.id)
        .where(request.finished_at < db_now(-days * SECONDS_A_DAY), request.removed_at.is_(None))
        .where(request.status.in_(ENDED))
        .limit(limit)
    )
    with single_statement() as connection:
        return connection.execute(_removing().where(request.id.in_(expired))).rowcount


def _removing() -> sa.Update:
    """Where work may be under way, its row stays a while, so that what is stored late is found and deleted too."""
    request = ProcessingRequest
    last_put = sa.case((request.status.in_(ENDED), 0.0), else_=float(LAST_PUT_SECONDS))
    return (
        sa.update(request)
        .where(request.removed_at.is_(None))
        .values(
            status=RequestStatus.CANCELLED,
            cancel_requested_at=sa.func.coalesce(request.cancel_requested_at, db_now()),
            removed_at=db_now(),
            idempotency_key=None,
            attempt=0,
            lease_token=None,
            lease_until=db_now(last_put),
        )
    )


def due(*, limit: int) -> list[str]:
    """Removed requests that have something left to delete now."""
    request = ProcessingRequest
    rows_left = sa.exists().where(Product.request_id == request.id)
    statement = (
        sa.select(request.id)
        .where(request.removed_at.is_not(None), sa.or_(request.lease_until < db_now(), rows_left))
        .where(sa.or_(request.not_before.is_(None), request.not_before <= db_now()))
        .order_by(request.lease_until)
        .limit(limit)
    )
    with db.engine.connect() as connection:  # it only looks, so it waits for no writer
        return list(connection.execute(statement).scalars())


def put_off(request_id: str) -> None:
    """Delay a removal whose step failed: by 2, 4, 8 … seconds, at most an hour.

    It is never given up, because the caller was told that nothing stays.
    """
    request = ProcessingRequest
    doubled = sa.literal(2).bitwise_lshift(request.attempt)
    delay = sa.case((request.attempt < MOST_DOUBLINGS, doubled), else_=LONGEST_DELAY)
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.removed_at.is_not(None))
        .values(attempt=request.attempt + 1, not_before=db_now(delay))
    )
    with single_statement() as connection:
        connection.execute(statement)


def fence(request_id: str) -> None:
    """Take the products of a removed request from their workers, and its announcements from their senders."""
    product = Product
    take = (
        sa.update(product)
        .where(product.request_id == request_id, product.status.in_(IN_FLIGHT))
        .values(status=ProductStatus.CANCELLED, lease_token=None, lease_until=None)
    )
    with transaction() as connection:
        connection.execute(take)
        connection.execute(sa.delete(WebhookDelivery).where(WebhookDelivery.request_id == request_id))


def delete_products(request_id: str, *, limit: int) -> bool:
    """Delete the rows of `limit` products with their images; False where more are left."""
    some = sa.select(Product.id).where(Product.request_id == request_id).limit(limit)
    with transaction() as connection:
        return connection.execute(sa.delete(Product).where(Product.id.in_(some))).rowcount < limit


def forget(request_id: str) -> None:
    """Delete the row of a removed request, once nothing more can be stored for it."""
    request = ProcessingRequest
    statement = sa.delete(request).where(
        request.id == request_id, request.removed_at.is_not(None), request.lease_until < db_now()
    )
    with single_statement() as connection:
        connection.execute(statement)
