"""What becomes of a product or a plan whose lease ran out: another attempt, or an end as lost.

`finalization` and `deliveries` say the same of theirs.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import ImageStatus, ProcessingRequest, Product, ProductImage, ProductStatus
from imgproc.db.transitions.finalization import UNPLANNED, has_expired
from imgproc.db.transitions.results import FailedImage, ImageResult, Settled, count, refill, save_results


def _expired() -> sa.Select[Any]:
    """Products whose lease ran out; rows that another transaction has locked are skipped, not waited for."""
    product = Product
    expired = sa.select(product.id).where(product.status == ProductStatus.PROCESSING, product.lease_until < db_now())
    return expired.with_for_update(skip_locked=True)


def requeue_expired(*, max_attempts: int) -> list[int]:
    """Give products whose lease ran out, with attempts left, back to the queue; their ids, to be rung."""
    product = Product
    statement = (
        sa.update(product)
        .where(product.id.in_(_expired().where(product.attempt < max_attempts)))
        .values(status=ProductStatus.QUEUED, queued_at=db_now(), lease_token=None, lease_until=None)
        .returning(product.id)
    )
    with single_statement() as connection:
        return list(connection.execute(statement).scalars())


def requeue_plans(*, max_attempts: int) -> list[str]:
    """Give the plans whose lease ran out, with attempts left, back; the ids of their requests, to be enqueued."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.status.in_(UNPLANNED), has_expired(), request.attempt < max_attempts)
        .values(lease_token=None, lease_until=None)
        .returning(request.id)
    )
    with single_statement() as connection:
        return list(connection.execute(statement).scalars())


def lose(product_id: int, *, max_attempts: int, window: int, code: str, detail: str) -> Settled | None:
    """Fail a product whose lease ran out on its last attempt; None where it is alive after all."""
    product = Product
    expired = (
        sa.update(product)
        .where(product.id.in_(_expired().where(product.id == product_id, product.attempt >= max_attempts)))
        .values(status=ProductStatus.FAILED, lease_token=None, lease_until=None)
        .returning(product.request_id)
    )
    error = FailedImage(code, detail, error_retryable=True)
    with transaction() as connection:
        request_id = connection.execute(expired).scalar_one_or_none()
        if request_id is None:
            return None
        pending = sa.select(ProductImage.id).where(
            ProductImage.product_id == product_id, ProductImage.status == ImageStatus.PENDING
        )
        results = [ImageResult(image_id, error) for image_id in connection.execute(pending).scalars()]
        save_results(connection, results)
        counted = count(connection, request_id, results, {"products_failed": 1})
    return refill(counted, window=window)
