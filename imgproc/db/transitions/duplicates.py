"""Finds images that are the same picture: with the same URL, in the same request or in an earlier one.

A URL is found by a 64-bit hash and then compared as text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.statuses import ImageStatus, ProductStatus
from imgproc.db.transitions.results import FailedImage, MadeImage

CANDIDATES = 20  # images with the same URL that are checked for a lease, or for the same owner and options
MADE = tuple(column.name for column in fields(MadeImage) if column.name not in {"duration_ms", "stages_ms"})


@dataclass(frozen=True)
class Duplicate:
    """An image with the same URL: `holder` is the lease under which it is being made, `outcome` its end, if it has one.

    The outcome has no validators of the host, because these belong to one download.
    """

    holder: str | None
    outcome: MadeImage | FailedImage | None


def url_hash(url: str) -> int:
    """A signed 64-bit hash, the size of a database's BIGINT."""
    return int.from_bytes(hashlib.blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)


# The columns below are read for each image that a worker claims. Each takes one look into an index, however often the
# URL is used. PostgreSQL may think it faster to follow the primary key to a lowest id, and then reads the whole table.
# So each subquery asks for the first row of a tuple that only the right index has in order, and checks afterwards that
# the row is one we want. A LIMIT and a scalar subquery are run as written; a join may start from the wrong end.
_ours, _next, _found = ProductImage, aliased(ProductImage), aliased(ProductImage)
_same_url = sa.and_(_found.url_hash == _ours.url_hash, _found.source_url == _ours.source_url)


def _others(status: ImageStatus, most: int) -> tuple[sa.Select[Any], sa.Subquery]:
    """SQL: the first `most` images with our URL and this status in other products of the request; with its subquery."""
    place = (_next.url_hash, _next.request_id, _next.status, _next.id)
    start = (_ours.url_hash, _ours.request_id, sa.literal(status, _ours.status.type), sa.literal(0, _ours.id.type))
    behind = sa.and_(sa.tuple_(*place) >= sa.tuple_(*start), _next.url_hash == _ours.url_hash)
    columns = (_next.id, _next.product_id, _next.request_id, _next.status, _next.source_url, _next.error_retryable)
    first = sa.select(*columns).where(behind, _next.product_id != _ours.product_id).order_by(*place).limit(most)
    found = first.correlate(_ours).subquery()  # may hold rows of other requests and statuses, which follow ours
    wanted = sa.and_(found.c.request_id == _ours.request_id, found.c.status == status)
    return sa.select(found.c.id).where(wanted, found.c.source_url == _ours.source_url).correlate(_ours), found


_LEASED = sa.and_(Product.status == ProductStatus.PROCESSING, Product.lease_until > db_now())
_HELD = sa.and_(ProductImage.status == ImageStatus.PENDING, _LEASED)
_completed, _ = _others(ImageStatus.COMPLETED, 1)
_failed, _of_failed = _others(ImageStatus.FAILED, 1)
# A worker only waits for a product claimed before its own, so two workers never deadlock.
_pending, _of_pending = _others(ImageStatus.PENDING, CANDIDATES)
_holder = sa.select(Product.id).where(Product.id == _of_pending.c.product_id, _LEASED).scalar_subquery()
_being_made = _pending.where(_holder.is_not(None)).with_only_columns(sa.func.min(_of_pending.c.id))
DUPLICATE = sa.func.coalesce(
    _completed.scalar_subquery(),
    _failed.where(_of_failed.c.error_retryable.is_(False)).scalar_subquery(),
    _being_made.scalar_subquery(),
).label("duplicate")

_newest = (
    sa.select(_next.id)
    .where(sa.tuple_(_next.url_hash, _next.id) <= sa.tuple_(_ours.url_hash, sa.literal(2**63 - 1, _ours.id.type)))
    .where(_next.etag.is_not(None))
    .order_by(_next.url_hash.desc(), _next.id.desc())
    .limit(1)
    .correlate(_ours)
    .scalar_subquery()
)
EARLIER = (
    sa.select(_found.id).where(_found.id == _newest, _same_url).correlate(_ours).scalar_subquery().label("earlier")
)


def holder_of(image_id: sa.ColumnElement[int | None]) -> sa.ColumnElement[str | None]:
    """SQL: the token of the lease under which an image is being made."""
    product = sa.select(ProductImage.product_id).where(ProductImage.id == image_id)
    pending = product.where(ProductImage.status == ImageStatus.PENDING).correlate_except(ProductImage).scalar_subquery()
    lease = sa.select(Product.lease_token).where(Product.id == pending, _LEASED)
    return lease.correlate_except(Product).scalar_subquery()


def find_duplicates(image_ids: Iterable[int]) -> dict[int, Duplicate]:
    """The images as they are now, by id, without those that have been deleted."""
    holder = sa.case((_HELD, Product.lease_token)).label("holder")
    statement = (
        sa.select(ProductImage.__table__, holder)
        .join(Product, Product.id == ProductImage.product_id)
        .where(ProductImage.id.in_(list(image_ids)))
    )
    with db.engine.connect() as connection:
        return {row.id: Duplicate(row.holder, _outcome(row)) for row in connection.execute(statement)}


def _outcome(row: Any) -> MadeImage | FailedImage | None:
    if row.status is ImageStatus.COMPLETED:
        return replace(_made(row), etag=None, last_modified=None)
    if row.status is ImageStatus.FAILED:
        return FailedImage(row.error_code or "", row.error_detail, row.error_retryable)
    return None


def find_earlier(request_id: str, url: str, *, options: dict[str, Any]) -> MadeImage | None:
    """The newest image that an earlier request of the same owner made from the URL with the same options.

    Only the last CANDIDATES images of the URL are considered. The result has the validators that its host gave.
    """
    owner = sa.select(ProcessingRequest.owner).where(ProcessingRequest.id == request_id).scalar_subquery()
    newest = (
        sa.select(ProductImage.id)
        .where(ProductImage.url_hash == url_hash(url), ProductImage.etag.is_not(None))
        .order_by(ProductImage.id.desc())
        .limit(CANDIDATES)
    )
    statement = (
        sa.select(ProductImage.__table__, ProcessingRequest.options)
        .join(ProcessingRequest, ProcessingRequest.id == ProductImage.request_id)
        .where(ProductImage.id.in_(newest), ProductImage.source_url == url)
        .where(ProductImage.status == ImageStatus.COMPLETED)
        .where(ProcessingRequest.owner == owner, ProcessingRequest.removed_at.is_(None))
        .order_by(ProductImage.id.desc())
    )
    with db.engine.connect() as connection:
        for row in connection.execute(statement):
            if row.options == options:
                return _made(row)
    return None


def _made(row: Any) -> MadeImage:
    return MadeImage(**{name: getattr(row, name) for name in MADE})
