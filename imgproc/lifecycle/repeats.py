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


_ours, _other = ProductImage, aliased(ProductImage)
_same_url = sa.and_(_other.url_hash == _ours.url_hash, _other.source_url == _ours.source_url)
_of_request = sa.and_(_same_url, _other.request_id == _ours.request_id, _other.product_id != _ours.product_id)


def _one(of: Any, *conditions: Any) -> sa.ScalarSelect[int]:
    return sa.select(of).where(*conditions).correlate(_ours).scalar_subquery()


# Columns of the images a worker claims: each is found by one look into an index, however often the URL is used. What is
# waited for was in another worker's hands when this one claimed its product, so no two ever wait for each other.
_in_hand = (
    sa.select(sa.case((Product.status == ProductStatus.PROCESSING, _other.id)))
    .join(Product, Product.id == _other.product_id)
    .where(_of_request, _other.status == ImageStatus.PENDING)
    .order_by(_other.id)
    .limit(1)
    .correlate(_ours)
    .scalar_subquery()
)
TWIN = sa.func.coalesce(
    _one(sa.func.min(_other.id), _of_request, _other.status == ImageStatus.COMPLETED),
    _one(sa.func.max(_other.id), _of_request, _other.status == ImageStatus.FAILED),
    _in_hand,
).label("twin")
EARLIER = _one(sa.func.max(_other.id), _same_url, _other.etag.is_not(None)).label("earlier")


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
