"""The transitions of a product: pending → queued → processing → ended, or back to pending for another attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.core.errors import LeaseLost
from imgproc.db.batch import Batch
from imgproc.db.dialects import advisory_lock, db_now
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.statuses import ImageStatus, ProductStatus
from imgproc.db.transitions.duplicates import DUPLICATE, EARLIER, holder_of
from imgproc.db.transitions.leases import may_run, renew
from imgproc.db.transitions.results import ImageResult, Settled, count, refill, save_results


@dataclass(frozen=True)
class PendingImage:
    """One image still to be made.

    `duplicate` is another image of the request with this URL, `holder` the lease under which that image is being made,
    and `earlier` an image of an earlier request with this URL. Each is None if there is none. `refusals` counts how
    often a host that serves others has refused the image, `refused_since` is when any host did so first, and
    `host_answered` says that the host has answered before.
    """

    id: int
    position: int
    source_url: str
    duplicate: int | None = None
    earlier: int | None = None
    holder: str | None = None
    refusals: int = 0
    refused_since: datetime | None = None
    host_answered: bool | None = None


@dataclass(frozen=True)
class ProductClaim:
    """What a worker needs to process the product it has leased."""

    request_id: str
    row: int
    product_name: str
    attempt: int
    options: dict[str, Any]
    claimed_at: datetime = field(compare=False)
    images: tuple[PendingImage, ...]
    queued_at: datetime | None = field(default=None, compare=False)
    traceparent: str | None = None


@dataclass(frozen=True)
class Waiting:
    """Why a product waits: for the `host` (`name:port`), which is `busy`, `away`, `slow` or at its `limit`."""

    host: str
    reason: str


@dataclass(frozen=True)
class RefusedImage:
    """An image that its host has refused in this attempt; `host_serves` says that it serves others."""

    image_id: int
    host_answered: bool
    host_serves: bool = True


# The statements of a product are built once, because building them takes longer than running them. `this` is bound to
# the product's id. No bound name is that of a column, because those name the columns that an UPDATE sets.
_THIS = sa.bindparam("this", type_=Product.id.type)
_TOKEN = sa.bindparam("token", type_=Product.lease_token.type)
_IS_OURS = sa.and_(Product.id == _THIS, Product.lease_token == _TOKEN)

_CLAIM = (
    sa.update(Product)
    .where(Product.id == _THIS)
    .where(sa.or_(Product.status == ProductStatus.QUEUED, Product.lease_token == _TOKEN))
    .where(may_run(Product))
    .values(
        status=ProductStatus.PROCESSING,
        attempt=sa.case((Product.lease_token == _TOKEN, Product.attempt), else_=Product.attempt + 1),
        lease_token=_TOKEN,
        lease_until=db_now(sa.bindparam("seconds", type_=sa.Float)),
        waiting_host=None,
        waiting_reason=None,
    )
    .returning(
        Product.request_id,
        Product.row,
        Product.product_name,
        Product.attempt,
        # IN, because inside RETURNING SQLite reads all requests for `==`.
        sa.select(ProcessingRequest.options).where(ProcessingRequest.id.in_([Product.request_id])).label("options"),
        sa.select(ProcessingRequest.traceparent)
        .where(ProcessingRequest.id.in_([Product.request_id]))
        .label("traceparent"),
        Product.queued_at,
        db_now().label("claimed_at"),
        advisory_lock(Product.request_id).label("lock"),
    )
)
_REFUSALS = (ProductImage.refusals, ProductImage.refused_since, ProductImage.host_answered)
_pending = (
    sa.select(ProductImage.id, ProductImage.position, ProductImage.source_url, DUPLICATE, EARLIER, *_REFUSALS)
    .where(ProductImage.product_id == _THIS, ProductImage.status == ImageStatus.PENDING)
    .order_by(ProductImage.position)
    .subquery()
)
_PENDING_IMAGES = sa.select(_pending, holder_of(_pending.c.duplicate).label("holder")).order_by(_pending.c.position)
_CLAIM_IMAGES = Batch(_CLAIM, _PENDING_IMAGES)


def claim(product_id: int, *, token: str, lease_seconds: int, alone: bool = False) -> ProductClaim | None:
    """Lease a queued product. Returns None if it is not queued. A second claim with the same token succeeds, too.

    Also returns None for a product that must run `alone`, unless the process has no other work.

    Products of one request are claimed one at a time, so that of two with the same URL the second sees the first. The
    lock ends with the message, even if the worker dies.
    """
    values = {"this": product_id, "token": token, "seconds": lease_seconds, "runs_alone": alone}
    with single_statement() as connection:
        leased, images = _CLAIM_IMAGES.run(connection, values)
    if not leased:
        return None
    del leased[0]["lock"]
    return ProductClaim(**leased[0], images=tuple(PendingImage(**image) for image in images))


def renew_lease(product_id: int, *, token: str, lease_seconds: int) -> bool:
    """Extend the lease of a product. False means that the lease is lost."""
    return renew(Product, product_id, token=token, lease_seconds=lease_seconds)


# An image that failed in an earlier attempt also fails its product.
_FAILED_BEFORE = sa.exists().where(ProductImage.product_id == Product.id, ProductImage.status == ImageStatus.FAILED)
_END = sa.cast(
    sa.case((_FAILED_BEFORE, ProductStatus.FAILED.value), else_=ProductStatus.COMPLETED.value), Product.status.type
)


def finish(product_id: int, results: Sequence[ImageResult], *, token: str, window: int) -> Settled:
    """End a product with the results of its last images, and release the next products of its request.

    Raises:
        LeaseLost: another worker holds the product now; nothing was changed or counted.
    """
    fails_now = any(result.status is ImageStatus.FAILED for result in results)
    with transaction() as connection:
        request_id, status = _leave(connection, product_id, token, status=ProductStatus.FAILED if fails_now else _END)
        save_results(connection, results)
        completed = 1 if status is ProductStatus.COMPLETED else 0
        counts = {"products_completed": completed, "products_failed": 1 - completed}
        counted = count(connection, request_id, results, counts)
    return refill(counted, window=window)


def postpone(
    product_id: int,
    results: Sequence[ImageResult],
    *,
    token: str,
    window: int,
    delay: float,
    counts_as_attempt: bool,
    waiting: Waiting | None = None,
    refused: Sequence[RefusedImage] = (),
) -> Settled:
    """Save the finished images and try the others again after `delay` seconds.

    An outage of our services and the wait for a host do not count as an attempt; other failures of a host do.

    Raises:
        LeaseLost: another worker holds the product now; nothing was changed or counted.
    """
    attempt = Product.attempt if counts_as_attempt else Product.attempt - 1
    with transaction() as connection:
        values: dict[str, Any] = {"status": ProductStatus.PENDING, "not_before": db_now(delay), "attempt": attempt}
        if waiting:
            values |= {"waiting_host": waiting.host, "waiting_reason": waiting.reason}
        request_id, _ = _leave(connection, product_id, token, **values)
        save_results(connection, results)
        _save_refusals(connection, refused)
        counted = count(connection, request_id, results, {})
    return refill(counted, window=window)


_SAVE_REFUSAL = (
    sa.update(ProductImage)
    .where(ProductImage.id == sa.bindparam("image_id"), ProductImage.status == ImageStatus.PENDING)
    .values(
        refusals=ProductImage.refusals + sa.bindparam("more", type_=sa.Integer),
        refused_since=sa.func.coalesce(ProductImage.refused_since, db_now()),
        host_answered=sa.bindparam("answered", type_=sa.Boolean),
    )
)


def _save_refusals(connection: Connection, refused: Sequence[RefusedImage]) -> None:
    if refused:
        values = [
            {"image_id": image.image_id, "answered": image.host_answered, "more": int(image.host_serves)}
            for image in refused
        ]
        connection.execute(_SAVE_REFUSAL, values)


def give_back(product_id: int, *, token: str) -> None:
    """Return a product whose worker must stop, without counting the attempt."""
    statement = (
        sa.update(Product)
        .where(Product.id == product_id, Product.lease_token == token)
        .values(status=ProductStatus.PENDING, attempt=Product.attempt - 1, lease_token=None, lease_until=None)
    )
    with single_statement() as connection:
        connection.execute(statement)


def _leave(connection: Connection, product_id: int, token: str, **values: Any) -> tuple[str, ProductStatus]:
    """Leave `processing` if the lease is still ours. Returns the request's id and the new status."""
    left = connection.execute(_leaving(**values), {"this": product_id, "token": token}).one_or_none()
    if left is None:
        raise LeaseLost("Another worker holds this product now.")
    return left.request_id, left.status


@lru_cache(maxsize=8)  # `finish` asks for the same two statements again and again
def _leaving(**values: Any) -> sa.Executable:
    return (
        sa.update(Product)
        .where(_IS_OURS)
        .values(lease_token=None, lease_until=None, **values)
        .returning(Product.request_id, Product.status)
    )
