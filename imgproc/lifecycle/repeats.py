"""Which images are the same picture: another of the request with the same URL, or one of an earlier request.

An URL is found by a hash of 64 bits, and then compared itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from imgproc.extensions import db
from imgproc.models import ImageStatus, ProcessingRequest, Product, ProductImage, ProductStatus

CANDIDATES = 20  # of the newest with the same URL, among which one of the same owner and options is looked for
MADE = (
    *("original_key", "output_key", "source_bytes", "source_width", "source_height", "source_format"),
    *("output_bytes", "output_width", "output_height", "output_format", "output_kept"),
)


@dataclass(frozen=True)
class Twin:
    """An image of the same URL: how far it is, whether it is being made now, and the columns of what was made."""

    status: ImageStatus
    in_hand: bool
    error_code: str | None
    error_detail: str | None
    error_retryable: bool | None
    made: dict[str, Any]


@dataclass(frozen=True)
class Earlier:
    """What an earlier request made of the URL, and by what its host knows the picture (RFC 9110, 8.8)."""

    made: dict[str, Any]
    etag: str
    last_modified: str


def url_hash(url: str) -> int:
    """A signed number of 64 bits, as databases have them."""
    return int.from_bytes(hashlib.blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)


# Columns of the images a worker claims, each found by one look into an index, however often the URL is used. PostgreSQL
# may think the table's own order a faster way to a lowest id, and read all of it. So each look asks for the first of a
# tuple that only that index has in order, and then whether it is what was looked for.
_ours, _next, _found = ProductImage, aliased(ProductImage), aliased(ProductImage)
_same_url = sa.and_(_found.url_hash == _ours.url_hash, _found.source_url == _ours.source_url)


def _first(status: ImageStatus) -> sa.Select[Any]:
    """The first image of another product of the request with our URL, of one status."""
    place = (_next.url_hash, _next.request_id, _next.status, _next.id)
    start = (_ours.url_hash, _ours.request_id, sa.literal(status, _ours.status.type), sa.literal(0, _ours.id.type))
    first = (
        sa.select(_next.id)
        .where(sa.tuple_(*place) >= sa.tuple_(*start), _next.product_id != _ours.product_id)
        .order_by(*place)
        .limit(1)
        .correlate(_ours)
        .scalar_subquery()
    )
    found = sa.select(_found.id).where(_found.id == first, _same_url, _found.status == status)
    return found.where(_found.request_id == _ours.request_id)


# What is waited for was in another worker's hands when this one claimed its product, so two seldom wait for each other.
_in_hand = (
    _first(ImageStatus.PENDING)
    .join(Product, Product.id == _found.product_id)
    .where(Product.status == ProductStatus.PROCESSING)
)
TWIN = sa.func.coalesce(
    _first(ImageStatus.COMPLETED).correlate(_ours).scalar_subquery(),
    _first(ImageStatus.FAILED).correlate(_ours).scalar_subquery(),
    _in_hand.correlate(_ours).scalar_subquery(),
).label("twin")

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


def find_twin(image_id: int) -> Twin | None:
    """The image as it is now; None where it is gone."""
    image = ProductImage
    statement = (
        sa.select(image.__table__, Product.status.label("product_status"))
        .join(Product, Product.id == image.product_id)
        .where(image.id == image_id)
    )
    with db.engine.connect() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    in_hand = row.status is ImageStatus.PENDING and row.product_status is ProductStatus.PROCESSING
    return Twin(row.status, in_hand, row.error_code, row.error_detail, row.error_retryable, _made(row))


def find_earlier(request_id: str, url: str, *, options: dict[str, Any]) -> Earlier | None:
    """The newest of the last few made from the URL for the same owner, with the same options, and not removed."""
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
                return Earlier(_made(row), row.etag, row.last_modified or "")
    return None


def _made(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in MADE}
