"""The transitions of a product: pending → queued → processing → an end, or back to pending for another attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.core.errors import LeaseLost
from imgproc.db.batch import Batch
from imgproc.db.dialects import db_now, in_turn
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import ImageStatus, ProcessingRequest, Product, ProductImage, ProductStatus
from imgproc.db.transitions.duplicates import DUPLICATE, EARLIER, holder_of
from imgproc.db.transitions.leases import renew
from imgproc.db.transitions.results import ImageResult, Settled, count, refill, save_results


@dataclass(frozen=True)
class PendingImage:
    """One image still to be made.

    `duplicate` is another image of the request with this URL, `earlier` one of any request, `holder` the lease
    under which the duplicate is being made; None where there is none.
    """

    id: int
    position: int
    source_url: str
    duplicate: int | None = None
    earlier: int | None = None
    holder: str | None = None


@dataclass(frozen=True)
class ProductClaim:
    """What a worker needs to process the product it has leased."""

    request_id: str
    row: int
    product_name: str
    attempt: int
    options: dict[str, Any]
    images: tuple[PendingImage, ...]


# The statements of every product are built once: building them anew took longer than running them. `this` is the id of
# the product, and no bound name is a column's, because those name what is to be set.
_THIS = sa.bindparam("this", type_=Product.id.type)
_TOKEN = sa.bindparam("token", type_=Product.lease_token.type)
_IS_OURS = sa.and_(Product.id == _THIS, Product.lease_token == _TOKEN)

_CLAIM = (
    sa.update(Product)
    .where(Product.id == _THIS)
    .where(sa.or_(Product.status == ProductStatus.QUEUED, Product.lease_token == _TOKEN))
    .values(
        status=ProductStatus.PROCESSING,
        attempt=sa.case((Product.lease_token == _TOKEN, Product.attempt), else_=Product.attempt + 1),
        lease_token=_TOKEN,
        lease_until=db_now(sa.bindparam("seconds", type_=sa.Float)),
    )
    .returning(
        Product.request_id,
        Product.row,
        Product.product_name,
        Product.attempt,
        # Not `==`: inside RETURNING, SQLite takes that for a reason to read all requests.
        sa.select(ProcessingRequest.options).where(ProcessingRequest.id.in_([Product.request_id])).label("options"),
        in_turn(Product.request_id).label("turn"),
    )
)
_pending = (
    sa.select(ProductImage.id, ProductImage.position, ProductImage.source_url, DUPLICATE, EARLIER)
    .where(ProductImage.product_id == _THIS, ProductImage.status == ImageStatus.PENDING)
    .order_by(ProductImage.position)
    .subquery()
)
_PENDING_IMAGES = sa.select(_pending, holder_of(_pending.c.duplicate).label("holder")).order_by(_pending.c.position)
_CLAIM_IMAGES = Batch(_CLAIM, _PENDING_IMAGES)


def claim(product_id: int, *, token: str, lease_seconds: int) -> ProductClaim | None:
    """Lease a queued product; None where it is not queued. Claiming again with the same token succeeds again.

    Products of one request are claimed in turn, so that of two with the same URL one sees the other at it. The turn
    ends with the message, whatever becomes of the worker.
    """
    values = {"this": product_id, "token": token, "seconds": lease_seconds}
    with single_statement() as connection:
        leased, images = _CLAIM_IMAGES.run(connection, values)
    if not leased:
        return None
    del leased[0]["turn"]
    return ProductClaim(**leased[0], images=tuple(PendingImage(**image) for image in images))


def renew_lease(product_id: int, *, token: str, lease_seconds: int) -> bool:
    """Extend a product's lease; False means it is lost."""
    return renew(Product, product_id, token=token, lease_seconds=lease_seconds)


# An image that failed in an earlier attempt fails its product, too.
_FAILED_BEFORE = sa.exists().where(ProductImage.product_id == Product.id, ProductImage.status == ImageStatus.FAILED)
_END = sa.cast(
    sa.case((_FAILED_BEFORE, ProductStatus.FAILED.value), else_=ProductStatus.COMPLETED.value), Product.status.type
)


def finish(product_id: int, results: Sequence[ImageResult], *, token: str, window: int) -> Settled:
    """End a product with the results of its last images, and release the next ones of its request.

    Raises:
        LeaseLost: the lease was taken over; nothing changed and nothing was counted.
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
        counted = count(connection, request_id, results, {})
    return refill(counted, window=window)


def give_back(product_id: int, *, token: str) -> None:
    """Return a product untouched, as a worker does that must stop now: the attempt does not count."""
    statement = (
        sa.update(Product)
        .where(Product.id == product_id, Product.lease_token == token)
        .values(status=ProductStatus.PENDING, attempt=Product.attempt - 1, lease_token=None, lease_until=None)
    )
    with single_statement() as connection:
        connection.execute(statement)


def _leave(connection: Connection, product_id: int, token: str, **values: Any) -> tuple[str, ProductStatus]:
    """Leave `processing`, if the lease is still ours."""
    left = connection.execute(_leaving(**values), {"this": product_id, "token": token}).one_or_none()
    if left is None:
        raise LeaseLost("Another worker holds this product now.")
    return left.request_id, left.status


@lru_cache(maxsize=8)  # the two of `finish` are asked for again and again, those of `postpone` never
def _leaving(**values: Any) -> sa.Executable:
    return (
        sa.update(Product)
        .where(_IS_OURS)
        .values(lease_token=None, lease_until=None, **values)
        .returning(Product.request_id, Product.status)
    )
