"""Finds duplicates of an image: another image of its request with the same URL, or one of an earlier request.

A URL is looked up by a hash of 64 bits, and then compared itself.
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
from imgproc.db.models import ImageStatus, ProcessingRequest, Product, ProductImage, ProductStatus
from imgproc.db.transitions.results import FailedImage, MadeImage

CANDIDATES = 20  # images with the same URL that are searched for a claimed one, or one of the same owner and options
MADE = tuple(column.name for column in fields(MadeImage) if column.name != "duration_ms")


@dataclass(frozen=True)
class Duplicate:
    """An image with the same URL: `holder` is the lease under which it is being made, `outcome` its end, if it has one.

    A made one comes without the host's validators, which belong to one download.
    """

    holder: str | None
    outcome: MadeImage | FailedImage | None


def url_hash(url: str) -> int:
    """A signed number of 64 bits, as databases have them."""
    return int.from_bytes(hashlib.blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)


# Columns of the images a worker claims, each found by one look into an index, however often the URL is used. PostgreSQL
# may think the table's own order a faster way to a lowest id, and read all of it. So each look asks for the first of a
# tuple that only that index has in order, and then whether it is what was looked for. A limit, or a value asked for row
# by row, is what PostgreSQL takes as it is written; a join it may begin at the wrong end.
_ours, _next, _found = ProductImage, aliased(ProductImage), aliased(ProductImage)
_same_url = sa.and_(_found.url_hash == _ours.url_hash, _found.source_url == _ours.source_url)


def _others(status: ImageStatus, most: int) -> tuple[sa.Select[Any], sa.Subquery]:
    """The first images of other products of the request with our URL, of one status; and where they are looked up."""
    place = (_next.url_hash, _next.request_id, _next.status, _next.id)
    start = (_ours.url_hash, _ours.request_id, sa.literal(status, _ours.status.type), sa.literal(0, _ours.id.type))
    behind = sa.and_(sa.tuple_(*place) >= sa.tuple_(*start), _next.url_hash == _ours.url_hash)
    told = (_next.id, _next.product_id, _next.request_id, _next.status, _next.source_url, _next.error_retryable)
    first = sa.select(*told).where(behind, _next.product_id != _ours.product_id).order_by(*place).limit(most)
    found = first.correlate(_ours).subquery()  # perhaps more than are meant, behind them
    meant = sa.and_(found.c.request_id == _ours.request_id, found.c.status == status)
    return sa.select(found.c.id).where(meant, found.c.source_url == _ours.source_url).correlate(_ours), found


_LEASED = sa.and_(Product.status == ProductStatus.PROCESSING, Product.lease_until > db_now())
_HELD = sa.and_(ProductImage.status == ImageStatus.PENDING, _LEASED)
_completed, _ = _others(ImageStatus.COMPLETED, 1)
_failed, _of_failed = _others(ImageStatus.FAILED, 1)
# A worker only waits for a product that was claimed before its own, and only while that claim lasts. So two workers
# never wait for each other.
_pending, _of_pending = _others(ImageStatus.PENDING, CANDIDATES)
_holder = sa.select(Product.id).where(Product.id == _of_pending.c.product_id, _LEASED).scalar_subquery()
_claimed = _pending.where(_holder.is_not(None)).with_only_columns(sa.func.min(_of_pending.c.id))
DUPLICATE = sa.func.coalesce(
    _completed.scalar_subquery(),
    _failed.where(_of_failed.c.error_retryable.is_(False)).scalar_subquery(),
    _claimed.scalar_subquery(),
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
    """SQL: the lease under which an image is being made."""
    made = sa.select(ProductImage.product_id).where(ProductImage.id == image_id)
    making = made.where(ProductImage.status == ImageStatus.PENDING).correlate_except(ProductImage).scalar_subquery()
    lease = sa.select(Product.lease_token).where(Product.id == making, _LEASED)
    return lease.correlate_except(Product).scalar_subquery()


def find_duplicates(image_ids: Iterable[int]) -> dict[int, Duplicate]:
    """The present state of the images, by id; images that are gone are left out."""
    image, holder = ProductImage, sa.case((_HELD, Product.lease_token)).label("holder")
    statement = (
        sa.select(image.__table__, holder)
        .join(Product, Product.id == image.product_id)
        .where(image.id.in_(list(image_ids)))
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
    """The newest reusable image made from the URL: for the same owner, with the same options, and not removed.

    Only the last few images made from the URL are searched.
    """
    image, request = ProductImage, ProcessingRequest
    owner = sa.select(request.owner).where(request.id == request_id).scalar_subquery()
    newest = (
        sa.select(image.id)
        .where(image.url_hash == url_hash(url), image.etag.is_not(None))
        .order_by(image.id.desc())
        .limit(CANDIDATES)
    )
    statement = (
        sa.select(image.__table__, request.options)
        .join(request, request.id == image.request_id)
        .where(image.id.in_(newest), image.source_url == url, image.status == ImageStatus.COMPLETED)
        .where(request.owner == owner, request.removed_at.is_(None))
        .order_by(image.id.desc())
    )
    with db.engine.connect() as connection:
        for row in connection.execute(statement):
            if row.options == options:
                return _made(row)
    return None


def _made(row: Any) -> MadeImage:
    return MadeImage(**{name: getattr(row, name) for name in MADE})
