"""What a caller may do to a request: cancel, retry, delete."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.extensions import transaction
from imgproc.lifecycle.products import cancel_unstarted, reopen_failed
from imgproc.models import ENDED, ProcessingRequest, RequestStatus, db_now


def cancel(request_id: str) -> bool:
    """Stop what has not started; False where the request has ended or is already cancelled or finalizing."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.cancel_requested_at.is_(None))
        .where(request.status.in_([RequestStatus.PENDING, RequestStatus.PROCESSING]))
        .values(cancel_requested_at=db_now())
    )
    with transaction() as connection:
        if connection.execute(statement).rowcount == 0:
            return False
        cancel_products(connection, request_id)
        return True


def cancel_stragglers(request_id: str) -> None:
    """Cancel the products that came back from a worker after their request was cancelled."""
    request = ProcessingRequest
    lock = (
        sa.select(request.id)
        .where(request.id == request_id, request.status == RequestStatus.PROCESSING)
        .where(request.cancel_requested_at.is_not(None))
        .with_for_update()
    )
    with transaction() as connection:
        if connection.execute(lock).one_or_none() is not None:
            cancel_products(connection, request_id)


def cancel_products(connection: Connection, request_id: str) -> None:
    """Cancel what no worker holds, and count it."""
    products, images = cancel_unstarted(connection, request_id)
    count_cancelled(connection, request_id, products=products, images=images)


def count_cancelled(connection: Connection, request_id: str, *, products: int, images: int) -> None:
    """Add to the request's counters."""
    request = ProcessingRequest
    connection.execute(
        sa.update(request)
        .where(request.id == request_id)
        .values(
            products_cancelled=request.products_cancelled + products,
            images_cancelled=request.images_cancelled + images,
        )
    )


def retry(request_id: str) -> bool:
    """Reopen an ended request for its failed and cancelled images; False where it has not ended or none failed."""
    request = ProcessingRequest
    reopen = (
        sa.update(request)
        .where(request.id == request_id, request.status.in_(ENDED))
        .where(request.products_failed + request.products_cancelled > 0)
        .values(status=RequestStatus.PROCESSING, finished_at=None, cancel_requested_at=None)
    )
    with transaction() as connection:
        if connection.execute(reopen).rowcount == 0:
            return False
        reopen_failed(connection, request_id)
        reset = dict.fromkeys(("products_failed", "products_cancelled", "images_failed", "images_cancelled"), 0)
        connection.execute(sa.update(request).where(request.id == request_id).values(**reset))
        return True


def delete(request_id: str) -> bool:
    """Remove a request with all its rows; work under way loses its lease. False where there is none."""
    with transaction() as connection:
        statement = sa.delete(ProcessingRequest).where(ProcessingRequest.id == request_id)
        return connection.execute(statement).rowcount == 1
