"""The transitions of a product: pending → queued → processing → an end, or back to pending for another attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.errors import LeaseLost
from imgproc.extensions import transaction
from imgproc.lifecycle.window import fill_window
from imgproc.models import (
    ImageStatus,
    ProcessingRequest,
    Product,
    ProductImage,
    ProductStatus,
    RequestStatus,
    db_now,
)


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
    fails_now = sa.literal(any(result.status is ImageStatus.FAILED for result in results))
    failed = sa.exists().where(ProductImage.product_id == product_id, ProductImage.status == ImageStatus.FAILED)
    ended = sa.case((sa.or_(fails_now, failed), ProductStatus.FAILED.value), else_=ProductStatus.COMPLETED.value)
    with transaction() as connection:
        request_id, status = _leave(connection, product_id, token, status=sa.cast(ended, Product.status.type))
        save_results(connection, results)
        completed = 1 if status is ProductStatus.COMPLETED else 0
        counts = {"products_completed": completed, "products_failed": 1 - completed}
        return count_and_release(connection, request_id, results, counts, window=window)


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
        values = {"status": ProductStatus.PENDING, "not_before": db_now(delay), "attempt": attempt}
        request_id, _ = _leave(connection, product_id, token, **values)
        save_results(connection, results)
        return count_and_release(connection, request_id, results, {}, window=window)


def give_back(product_id: int, *, token: str) -> None:
    """Return a product untouched, as a worker does that must stop now: the attempt does not count."""
    statement = (
        sa.update(Product)
        .where(Product.id == product_id, Product.lease_token == token)
        .values(status=ProductStatus.PENDING, attempt=Product.attempt - 1, lease_token=None, lease_until=None)
    )
    with transaction() as connection:
        connection.execute(statement)


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


def save_results(connection: Connection, results: Sequence[ImageResult]) -> None:
    """Write what became of images that had not ended yet; the caller holds their product."""
    for result in results:
        connection.execute(
            sa.update(ProductImage)
            .where(ProductImage.id == result.image_id, ProductImage.status == ImageStatus.PENDING)
            .values(status=result.status, **result.values)
        )


def count_and_release(
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
        .returning((ended == request.products_total).label("all_ended"), request.status, request.cancel_requested_at)
    ).one()
    # SQLite 3.40 finds `status = … AND … IS NULL` false in a RETURNING, so the two are looked at here.
    processing = counted.status is RequestStatus.PROCESSING and counted.cancel_requested_at is None
    goes_on = processing and not counted.all_ended
    released = fill_window(connection, request_id, window=window) if goes_on else ()
    return Settled(request_id, released, bool(counted.all_ended))
