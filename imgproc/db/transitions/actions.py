"""What a caller may do to a request: cancel it and retry it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.db.dialects import db_now
from imgproc.db.engine import transaction
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.statuses import ENDED, UNFINALIZED, ImageStatus, ProductStatus, RequestStatus
from imgproc.db.timeouts import LONG, allow

CANCELLED_IMAGE = {
    "status": ImageStatus.CANCELLED,
    "error_code": "cancelled",
    "error_detail": "The request was cancelled before this image was started; retry the request to process it.",
    "error_retryable": True,
}
NOT_FAILED = dict.fromkeys(("error_code", "error_detail", "error_retryable", "stages_ms"))
NOT_REFUSED = {"refusals": 0, "refused_since": None, "host_answered": None}
UNSUCCESSFUL = (ProductStatus.FAILED, ProductStatus.CANCELLED)
_CLEARED = dict.fromkeys(("finished_at", "cancel_requested_at", "error_code", "error_detail"))
RETRY_STEP = 500  # products reopened by one statement; their ids stay below SQLite's limit of bound values
CANCEL_STEP = 5000  # products cancelled in one transaction; the sweeper cancels the rest


def cancel(request_id: str) -> bool:
    """Cancel what has not started. Returns False if the request is finalizing, has ended or is already cancelled.

    No further product is started, even while the sweeper still has products to cancel.
    """
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.cancel_requested_at.is_(None))
        .where(ProcessingRequest.status.in_(UNFINALIZED))
        .values(cancel_requested_at=db_now())
    )
    with allow(LONG), transaction() as connection:
        if connection.execute(statement).rowcount == 0:
            return False
        _cancel_products(connection, request_id)
        return True


def cancel_stragglers(request_id: str) -> None:
    """Cancel the next step of products, and those that workers have returned since the request was cancelled."""
    lock = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.status == RequestStatus.PROCESSING)
        .where(ProcessingRequest.cancel_requested_at.is_not(None))
        .with_for_update()
    )
    with transaction() as connection:
        if connection.execute(lock).one_or_none() is not None:
            _cancel_products(connection, request_id)


def _cancel_products(connection: Connection, request_id: str) -> None:
    """Cancel the queued products and up to CANCEL_STEP pending ones, and count them and their images."""
    pending = _ids(request_id, ProductStatus.PENDING).limit(CANCEL_STEP).subquery()
    unstarted = sa.union_all(_ids(request_id, ProductStatus.QUEUED), sa.select(pending.c.id))
    cancelling = (
        sa.update(Product)
        .where(Product.id.in_(unstarted), Product.status.in_([ProductStatus.PENDING, ProductStatus.QUEUED]))
        .values(status=ProductStatus.CANCELLED, waiting_host=None, waiting_reason=None)
        .returning(Product.id)
    )
    products = connection.execute(cancelling).scalars().all()
    images = connection.execute(
        sa.update(ProductImage)
        .where(ProductImage.status == ImageStatus.PENDING, ProductImage.product_id.in_(products))
        .values(**CANCELLED_IMAGE)
    )
    count_cancelled(connection, request_id, products=len(products), images=images.rowcount)


def count_cancelled(connection: Connection, request_id: str, *, products: int, images: int) -> None:
    """Add to the request's counters of cancelled products and images."""
    connection.execute(
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id)
        .values(
            products_cancelled=ProcessingRequest.products_cancelled + products,
            images_cancelled=ProcessingRequest.images_cancelled + images,
        )
    )


def retry_some(request_id: str, product_ids: sa.Select[Any]) -> bool:
    """Reopen an ended request for some of its failed products. Returns False if none of them has failed.

    All failed images of these products are tried again. `product_ids` selects ids of products of the request.
    """
    reopen = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.status.in_(ENDED))
        .where(ProcessingRequest.removed_at.is_(None), ProcessingRequest.planned_at.is_not(None))
        .values(status=RequestStatus.PROCESSING, attempt=0, alone=False, **_CLEARED)
    )
    with allow(LONG), transaction() as connection:
        wanted = _ids(request_id, ProductStatus.FAILED).where(Product.id.in_(product_ids))
        found = list(connection.execute(wanted).scalars())
        if not found or connection.execute(reopen).rowcount == 0:
            return False
        for start in range(0, len(found), RETRY_STEP):
            step = found[start : start + RETRY_STEP]
            images = _reopen_products(connection, sa.select(Product.id).where(Product.id.in_(step)))
            connection.execute(
                sa.update(ProcessingRequest)
                .where(ProcessingRequest.id == request_id)
                .values(
                    products_failed=ProcessingRequest.products_failed - len(step),
                    images_failed=ProcessingRequest.images_failed - images,
                )
            )
        return True


def retry(request_id: str) -> bool:
    """Reopen an ended request for its failed and cancelled images. Returns False if it has not ended or none failed.

    A request whose planning failed is planned from the next row on. One without an output CSV gets it.
    """
    incomplete = sa.or_(
        ProcessingRequest.products_failed + ProcessingRequest.products_cancelled > 0,
        ProcessingRequest.planned_at.is_(None),
        ProcessingRequest.output_key.is_(None),
    )
    reopen = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.status.in_(ENDED))
        .where(ProcessingRequest.removed_at.is_(None), incomplete)
        .values(status=RequestStatus.PROCESSING, attempt=0, alone=False, **_CLEARED)
    )
    with allow(LONG), transaction() as connection:
        if connection.execute(reopen).rowcount == 0:
            return False
        _reopen_products(connection, _ids(request_id, *UNSUCCESSFUL))
        zeros = dict.fromkeys(("products_failed", "products_cancelled", "images_failed", "images_cancelled"), 0)
        connection.execute(sa.update(ProcessingRequest).where(ProcessingRequest.id == request_id).values(**zeros))
        return True


def _reopen_products(connection: Connection, product_ids: sa.Select[Any]) -> int:
    """Set failed and cancelled products, and their unfinished images, back to pending. Returns how many images."""
    images = connection.execute(
        sa.update(ProductImage)
        .where(ProductImage.status.in_([ImageStatus.FAILED, ImageStatus.CANCELLED]))
        .where(ProductImage.product_id.in_(product_ids))
        .values(status=ImageStatus.PENDING, **NOT_FAILED, **NOT_REFUSED)
    )
    connection.execute(
        sa.update(Product)
        .where(Product.id.in_(product_ids), Product.status.in_(UNSUCCESSFUL))
        .values(
            status=ProductStatus.PENDING,
            attempt=0,
            alone=False,
            not_before=None,
            waiting_host=None,
            waiting_reason=None,
        )
    )
    return images.rowcount


def _ids(request_id: str, *statuses: ProductStatus) -> sa.Select[Any]:
    return sa.select(Product.id).where(Product.request_id == request_id, Product.status.in_(statuses))
