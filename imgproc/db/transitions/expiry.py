"""Expired leases of products and plans: another attempt, or a failure after the last one.

A process works on several jobs at a time, and its death does not say which of them killed it. So the first death of
work is no attempt: from then on the work runs `alone`, in a process without other work, and only such deaths count.
`finalization` and `deliveries` do the same for theirs.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.statuses import UNFINALIZED, ImageStatus, ProductStatus
from imgproc.db.transitions.finalization import has_expired
from imgproc.db.transitions.leases import is_used_up, run_alone
from imgproc.db.transitions.results import FailedImage, ImageResult, Settled, count, refill, save_results


def is_expired() -> sa.ColumnElement[bool]:
    """SQL: the product is leased, and its lease has expired."""
    return sa.and_(Product.status == ProductStatus.PROCESSING, Product.lease_until < db_now())


def _expired() -> sa.Select[Any]:
    """The products with an expired lease. Skips rows that another transaction has locked, rather than wait for them."""
    return sa.select(Product.id).where(is_expired()).with_for_update(skip_locked=True)


def requeue_expired(*, max_attempts: int) -> list[int]:
    """Requeue products whose lease has expired and that have attempts left. Returns their ids, to be enqueued."""
    statement = (
        sa.update(Product)
        .where(Product.id.in_(_expired().where(~is_used_up(Product, max_attempts=max_attempts))))
        .values(status=ProductStatus.QUEUED, queued_at=db_now(), **run_alone(Product))
        .returning(Product.id)
    )
    with single_statement() as connection:
        return list(connection.execute(statement).scalars())


def requeue_plans(*, max_attempts: int) -> list[str]:
    """Release plans whose lease has expired and that have attempts left. Returns their requests, to be enqueued."""
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.status.in_(UNFINALIZED), has_expired())
        .where(~is_used_up(ProcessingRequest, max_attempts=max_attempts))
        .values(**run_alone(ProcessingRequest))
        .returning(ProcessingRequest.id)
    )
    with single_statement() as connection:
        return list(connection.execute(statement).scalars())


def lose(product_id: int, *, max_attempts: int, window: int, code: str, detail: str) -> Settled | None:
    """Fail a product whose lease expired on its last attempt. Returns None if the lease has not expired."""
    lost = (
        sa.update(Product)
        .where(
            Product.id.in_(_expired().where(Product.id == product_id, is_used_up(Product, max_attempts=max_attempts)))
        )
        .values(status=ProductStatus.FAILED, lease_token=None, lease_until=None)
        .returning(Product.request_id)
    )
    error = FailedImage(code, detail, error_retryable=True)
    with transaction() as connection:
        request_id = connection.execute(lost).scalar_one_or_none()
        if request_id is None:
            return None
        pending = sa.select(ProductImage.id).where(
            ProductImage.product_id == product_id, ProductImage.status == ImageStatus.PENDING
        )
        results = [ImageResult(image_id, error) for image_id in connection.execute(pending).scalars()]
        save_results(connection, results)
        counted = count(connection, request_id, results, {"products_failed": 1})
    return refill(counted, window=window)
