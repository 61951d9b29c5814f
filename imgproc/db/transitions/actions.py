"""What a caller may do to a request: cancel and retry."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.db.dialects import db_now
from imgproc.db.engine import transaction
from imgproc.db.models import ENDED, ImageStatus, ProcessingRequest, Product, ProductImage, ProductStatus, RequestStatus
from imgproc.db.timeouts import LONG, allow

CANCELLED_IMAGE = {
    "status": ImageStatus.CANCELLED,
    "error_code": "cancelled",
    "error_detail": "The request was cancelled before this image was started; retry the request to process it.",
    "error_retryable": True,
}
CANCEL_STEP = 5000  # products cancelled in one transaction; the sweeper goes on with the rest


def cancel(request_id: str) -> bool:
    """Stop what has not started; False where the request has ended or is already cancelled or finalizing.

    Nothing more of it is started from now on, however many products the sweeper still has to cancel one step at a time.
    """
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.cancel_requested_at.is_(None))
        .where(request.status.in_([RequestStatus.PENDING, RequestStatus.PROCESSING]))
        .values(cancel_requested_at=db_now())
    )
    with allow(LONG), transaction() as connection:
        if connection.execute(statement).rowcount == 0:
            return False
        cancel_products(connection, request_id)
        return True


def cancel_stragglers(request_id: str) -> None:
    """Go on cancelling: the products beyond the first step, and those that a worker gave back after it."""
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
    """Cancel what no worker holds, up to a step of it, and count it."""
    products, images = _cancel_unstarted(connection, request_id, limit=CANCEL_STEP)
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
    """Reopen an ended request for its failed and cancelled images; False where it has not ended or none failed.

    A request whose planning failed is planned on from the row it had reached, one without an output CSV gets it.
    """
    request = ProcessingRequest
    unfinished = sa.or_(
        request.products_failed + request.products_cancelled > 0,
        request.planned_at.is_(None),
        request.output_key.is_(None),
    )
    reopened = dict.fromkeys(("finished_at", "cancel_requested_at", "error_code", "error_detail"))
    reopen = (
        sa.update(request)
        .where(request.id == request_id, request.status.in_(ENDED), request.removed_at.is_(None), unfinished)
        .values(status=RequestStatus.PROCESSING, attempt=0, **reopened)
    )
    with allow(LONG), transaction() as connection:
        if connection.execute(reopen).rowcount == 0:
            return False
        _reopen_failed(connection, request_id)
        reset = dict.fromkeys(("products_failed", "products_cancelled", "images_failed", "images_cancelled"), 0)
        connection.execute(sa.update(request).where(request.id == request_id).values(**reset))
        return True


def _cancel_unstarted(connection: Connection, request_id: str, *, limit: int) -> tuple[int, int]:
    """Cancel the products that have been rung for, and up to `limit` of those that wait; how many, and their images."""
    product = Product
    waiting = _ids(request_id, "pending").limit(limit).subquery()
    some = sa.union_all(_ids(request_id, "queued"), sa.select(waiting.c.id))
    cancel = (
        sa.update(product)
        .where(product.id.in_(some), product.status.in_([ProductStatus.PENDING, ProductStatus.QUEUED]))
        .values(status=ProductStatus.CANCELLED)
        .returning(product.id)
    )
    products = connection.execute(cancel).scalars().all()
    images = connection.execute(
        sa.update(ProductImage)
        .where(ProductImage.status == ImageStatus.PENDING, ProductImage.product_id.in_(products))
        .values(**CANCELLED_IMAGE)
    )
    return len(products), images.rowcount


def _reopen_failed(connection: Connection, request_id: str) -> None:
    """Put the failed and cancelled products of a request back to pending, and their images that are not done."""
    unfinished = (ImageStatus.FAILED, ImageStatus.CANCELLED)
    connection.execute(
        sa.update(ProductImage)
        .where(ProductImage.status.in_(unfinished))
        .where(ProductImage.product_id.in_(_ids(request_id, "failed", "cancelled")))
        .values(status=ImageStatus.PENDING, error_code=None, error_detail=None, error_retryable=None)
    )
    connection.execute(
        sa.update(Product)
        .where(Product.request_id == request_id)
        .where(Product.status.in_([ProductStatus.FAILED, ProductStatus.CANCELLED]))
        .values(status=ProductStatus.PENDING, attempt=0, not_before=None)
    )


def _ids(request_id: str, *statuses: str) -> sa.Select[Any]:
    return sa.select(Product.id).where(
        Product.request_id == request_id, Product.status.in_([ProductStatus(status) for status in statuses])
    )
