"""The transitions of a product: pending → queued → processing → an end, or back to pending for another attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.errors import LeaseLost
from imgproc.extensions import transaction
from imgproc.models import (
    ImageStatus,
    ProcessingRequest,
    Product,
    ProductImage,
    ProductStatus,
    RequestStatus,
    db_now,
)

CANCELLED_IMAGE = {
    "status": ImageStatus.CANCELLED,
    "error_code": "cancelled",
    "error_detail": "The request was cancelled before this image was started; retry the request to process it.",
    "error_retryable": True,
}
IN_FLIGHT = (ProductStatus.QUEUED, ProductStatus.PROCESSING)


@dataclass(frozen=True)
class PendingImage:
    """One image still to be made."""

    id: int
    position: int
    source_url: str


@dataclass(frozen=True)
class ProductClaim:
    """What a worker needs to process the product it has leased."""

    request_id: str
    row: int
    product_name: str
    attempt: int
    options: dict[str, Any]
    images: tuple[PendingImage, ...]


@dataclass(frozen=True)
class ImageResult:
    """What became of one image in this attempt; `values` are columns of `product_images`."""

    image_id: int
    status: ImageStatus
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settled:
    """What settling a product brought about: the products to ring next, and whether the request may be finalized."""

    request_id: str
    released: tuple[int, ...]
    all_ended: bool


def claim(product_id: int, *, token: str, lease_seconds: int) -> ProductClaim | None:
    """Lease a queued product; None where it is not queued. Claiming again with the same token succeeds again."""
    product = Product
    lease = (
        sa.update(product)
        .where(product.id == product_id)
        .where(sa.or_(product.status == ProductStatus.QUEUED, product.lease_token == token))
        .values(
            status=ProductStatus.PROCESSING,
            attempt=sa.case((product.lease_token == token, product.attempt), else_=product.attempt + 1),
            lease_token=token,
            lease_until=db_now(lease_seconds),
        )
        .returning(product.request_id, product.row, product.product_name, product.attempt)
    )
    pending = (
        sa.select(ProductImage.id, ProductImage.position, ProductImage.source_url)
        .where(ProductImage.product_id == product_id, ProductImage.status == ImageStatus.PENDING)
        .order_by(ProductImage.position)
    )
    with transaction() as connection:
        leased = connection.execute(lease).one_or_none()
        if leased is None:
            return None
        options = sa.select(ProcessingRequest.options).where(ProcessingRequest.id == leased.request_id)
        return ProductClaim(
            **leased._mapping,
            options=connection.execute(options).scalar_one(),
            images=tuple(PendingImage(**image._mapping) for image in connection.execute(pending)),
        )


def renew_lease(product_id: int, *, token: str, lease_seconds: int) -> bool:
    """Extend a product's lease; False means it is lost."""
    statement = (
        sa.update(Product)
        .where(Product.id == product_id, Product.lease_token == token)
        .values(lease_until=db_now(lease_seconds))
    )
    with transaction() as connection:
        return connection.execute(statement).rowcount == 1


def finish(product_id: int, results: Sequence[ImageResult], *, token: str, window: int) -> Settled:
    """End a product with the results of its last images, and release the next ones of its request.

    Raises:
        LeaseLost: the lease was taken over; nothing changed and nothing was counted.
    """
    failed = sa.exists().where(ProductImage.product_id == product_id, ProductImage.status == ImageStatus.FAILED)
    with transaction() as connection:
        _save_results(connection, results)
        ended = sa.case((failed, ProductStatus.FAILED.value), else_=ProductStatus.COMPLETED.value)
        request_id, status = _leave(connection, product_id, token, status=sa.cast(ended, Product.status.type))
        completed = 1 if status is ProductStatus.COMPLETED else 0
        counts = {"products_completed": completed, "products_failed": 1 - completed}
        return _count_and_release(connection, request_id, results, counts, window=window)


def postpone(
    product_id: int,
    results: Sequence[ImageResult],
    *,
    token: str,
    window: int,
    delay: float,
    counts_as_attempt: bool,
) -> Settled:
    """Keep what is done and try the rest again after `delay` seconds.

    An outage of ours does not count as an attempt; an image host's trouble does.

    Raises:
        LeaseLost: the lease was taken over; nothing changed and nothing was counted.
    """
    attempt = Product.attempt if counts_as_attempt else Product.attempt - 1
    with transaction() as connection:
        _save_results(connection, results)
        values = {"status": ProductStatus.PENDING, "not_before": db_now(delay), "attempt": attempt}
        request_id, _ = _leave(connection, product_id, token, **values)
        return _count_and_release(connection, request_id, results, {}, window=window)


def lose(product_id: int, *, max_attempts: int, window: int, code: str, detail: str) -> Settled | None:
    """Fail a product whose lease ran out on its last attempt; None where it is alive after all."""
    product = Product
    expired = (
        sa.update(product)
        .where(product.id == product_id, product.status == ProductStatus.PROCESSING)
        .where(product.lease_until < db_now(), product.attempt >= max_attempts)
        .values(status=ProductStatus.FAILED, lease_token=None, lease_until=None)
        .returning(product.request_id)
    )
    error = {"error_code": code, "error_detail": detail, "error_retryable": True}
    with transaction() as connection:
        request_id = connection.execute(expired).scalar_one_or_none()
        if request_id is None:
            return None
        pending = sa.select(ProductImage.id).where(
            ProductImage.product_id == product_id, ProductImage.status == ImageStatus.PENDING
        )
        results = [
            ImageResult(image_id, ImageStatus.FAILED, error) for image_id in connection.execute(pending).scalars()
        ]
        _save_results(connection, results)
        return _count_and_release(connection, request_id, results, {"products_failed": 1}, window=window)


def requeue_expired(*, max_attempts: int) -> list[int]:
    """Give products whose lease ran out, with attempts left, back to the queue; their ids, to be rung."""
    product = Product
    statement = (
        sa.update(product)
        .where(product.status == ProductStatus.PROCESSING, product.lease_until < db_now())
        .where(product.attempt < max_attempts)
        .values(status=ProductStatus.QUEUED, queued_at=db_now(), lease_token=None, lease_until=None)
        .returning(product.id)
    )
    with transaction() as connection:
        return list(connection.execute(statement).scalars())


def release(request_id: str, *, window: int) -> tuple[int, ...]:
    """Move pending products of a request into its dispatch window; their ids, to be rung."""
    lock = (
        sa.select(ProcessingRequest.id)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.status == RequestStatus.PROCESSING)
        .where(ProcessingRequest.cancel_requested_at.is_(None))
        .with_for_update()
    )
    with transaction() as connection:
        if connection.execute(lock).one_or_none() is None:
            return ()
        return _release(connection, request_id, window=window)


def cancel_unstarted(connection: Connection, request_id: str) -> tuple[int, int]:
    """Cancel the request's products that no worker holds; how many products and images that were."""
    product = Product
    products = connection.execute(
        sa.update(product)
        .where(product.request_id == request_id)
        .where(product.status.in_([ProductStatus.PENDING, ProductStatus.QUEUED]))
        .values(status=ProductStatus.CANCELLED)
    )
    images = connection.execute(
        sa.update(ProductImage)
        .where(ProductImage.status == ImageStatus.PENDING, ProductImage.product_id.in_(_ids(request_id, "cancelled")))
        .values(**CANCELLED_IMAGE)
    )
    return products.rowcount, images.rowcount


def reopen_failed(connection: Connection, request_id: str) -> None:
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


def _leave(connection: Connection, product_id: int, token: str, **values: Any) -> tuple[str, ProductStatus]:
    """Leave `processing`, if the lease is still ours."""
    statement = (
        sa.update(Product)
        .where(Product.id == product_id, Product.lease_token == token)
        .values(lease_token=None, lease_until=None, **values)
        .returning(Product.request_id, Product.status)
    )
    left = connection.execute(statement).one_or_none()
    if left is None:
        raise LeaseLost("Another worker holds this product now.")
    return left.request_id, left.status


def _save_results(connection: Connection, results: Sequence[ImageResult]) -> None:
    for result in results:
        connection.execute(
            sa.update(ProductImage)
            .where(ProductImage.id == result.image_id, ProductImage.status == ImageStatus.PENDING)
            .values(status=result.status, **result.values)
        )


def _count_and_release(
    connection: Connection,
    request_id: str,
    results: Sequence[ImageResult],
    counts: dict[str, int],
    *,
    window: int,
) -> Settled:
    """Bump the request's counters, which locks its row, so that windows and counters change one product at a time."""
    request = ProcessingRequest
    done = [result for result in results if result.status is ImageStatus.COMPLETED]
    counts = counts | {
        "images_completed": len(done),
        "images_failed": len(results) - len(done),
        "source_bytes": sum(result.values["source_bytes"] for result in done),
        "output_bytes": sum(result.values["output_bytes"] for result in done),
    }
    ended = request.products_completed + request.products_failed + request.products_cancelled
    counted = connection.execute(
        sa.update(request)
        .where(request.id == request_id)
        .values({name: getattr(request, name) + count for name, count in counts.items()})
        .returning((ended == request.products_total).label("all_ended"), request.cancel_requested_at)
    ).one()
    processing = counted.cancel_requested_at is None and not counted.all_ended
    released = _release(connection, request_id, window=window) if processing else ()
    return Settled(request_id, released, bool(counted.all_ended))


def _release(connection: Connection, request_id: str, *, window: int) -> tuple[int, ...]:
    product = Product
    in_flight = sa.select(sa.func.count()).where(product.request_id == request_id, product.status.in_(IN_FLIGHT))
    room = window - connection.execute(in_flight).scalar_one()
    if room <= 0:
        return ()
    due = (
        sa.select(product.id)
        .where(product.request_id == request_id, product.status == ProductStatus.PENDING)
        .where(sa.or_(product.not_before.is_(None), product.not_before <= db_now()))
        .order_by(product.row)
        .limit(room)
    )
    statement = (
        sa.update(product)
        .where(product.id.in_(due), product.status == ProductStatus.PENDING)
        .values(status=ProductStatus.QUEUED, queued_at=db_now())
        .returning(product.id)
    )
    return tuple(sorted(connection.execute(statement).scalars()))
