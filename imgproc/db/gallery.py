"""Reads for the pages of a request: its pictures, worst first, and its failures by cause and host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from imgproc.db.dialects import url_host
from imgproc.db.engine import db
from imgproc.db.models import Product, ProductImage
from imgproc.db.statuses import IN_FLIGHT, ImageStatus, ProductStatus

MOST_SORTED = 5000  # images of a request up to which they are sorted by what they save; sorting more is slow
MOST_FAILED = 20_000  # failed products that are looked at for their causes
EXAMPLES = 5  # failures shown of each group
_SHOWN = (ImageStatus.COMPLETED, ImageStatus.FAILED)
_WITH_FAILURES = (ProductStatus.FAILED, *IN_FLIGHT)

Place = tuple[int, int]  # the row of a product and the position of an image


@dataclass(frozen=True)
class Shown:
    """An image with its product."""

    image: Any
    row: int
    line: int
    serial_number: str
    product_name: str


def _images(request_id: str) -> sa.Select[Any]:
    of_product = Product.row, Product.line, Product.serial_number, Product.product_name
    return (
        sa.select(ProductImage.__table__, *(column.label(f"product_{column.key}") for column in of_product))
        .join(Product, Product.id == ProductImage.product_id)
        .where(Product.request_id == request_id)
    )


def _read(statement: sa.Select[Any]) -> list[Shown]:
    return [
        Shown(each, each.product_row, each.product_line, each.product_serial_number, each.product_product_name)
        for each in db.session.execute(statement)
    ]


def worst(request_id: str, *, status: ImageStatus | None, limit: int, offset: int) -> list[Shown]:
    """Ended images of a request with up to MOST_SORTED: failed ones, then those that save least."""
    is_made = sa.case((ProductImage.status == ImageStatus.FAILED, 0), else_=1)
    ratio = sa.cast(ProductImage.output_bytes, sa.Float) / sa.func.nullif(ProductImage.source_bytes, 0)
    statement = _images(request_id).where(ProductImage.status.in_([status] if status else _SHOWN))
    order = is_made, ratio.desc(), Product.row, ProductImage.position
    return _read(statement.order_by(*order).limit(limit).offset(offset))


def in_row_order(request_id: str, *, status: ImageStatus | None, limit: int, after: Place = (0, 0)) -> list[Shown]:
    """Ended images after a place, in row order. Its cost does not grow with the request."""
    statement = _images(request_id).where(ProductImage.status.in_([status] if status else _SHOWN))
    row, position = after
    if status is ImageStatus.FAILED:
        statement = statement.where(Product.status == ProductStatus.FAILED)
    is_later = sa.or_(Product.row > row, sa.and_(Product.row == row, ProductImage.position > position))
    statement = statement.where(Product.row >= row, is_later)
    return _read(statement.order_by(Product.row, ProductImage.position).limit(limit))


def find_image(request_id: str, image_id: int) -> Shown | None:
    """One image of the request, or None."""
    found = _read(_images(request_id).where(ProductImage.id == image_id))
    return found[0] if found else None


@dataclass
class FailureGroup:
    """Images that failed for one cause at one host. `hosts` are the spellings of the host in their URLs."""

    code: str
    host: str
    count: int = 0
    retryable: bool = False
    hosts: list[str] = field(default_factory=list)
    examples: list[Shown] = field(default_factory=list)


def failure_groups(request_id: str, *, limit: int) -> tuple[list[FailureGroup], int]:
    """The largest groups of failures with examples, and how many groups there are."""
    host = url_host(ProductImage.source_url).label("host")
    statement = (
        sa.select(
            ProductImage.error_code,
            host,
            sa.func.count().label("images"),
            sa.func.max(sa.cast(ProductImage.error_retryable, sa.Integer)).label("retryable"),
        )
        .where(ProductImage.product_id.in_(_failed_products(request_id)), ProductImage.status == ImageStatus.FAILED)
        .group_by(ProductImage.error_code, host)
    )
    groups: dict[tuple[str, str], FailureGroup] = {}
    for row in db.session.execute(statement):
        key = (row.error_code or "", host_name(row.host))
        group = groups.setdefault(key, FailureGroup(*key))
        group.count += row.images
        group.retryable = group.retryable or bool(row.retryable)
        group.hosts.append(row.host)
    found = sorted(groups.values(), key=lambda each: (-each.count, each.code, each.host))
    for group in found[:limit]:
        group.examples = _examples(request_id, group)
    return found[:limit], len(found)


def products_of(request_id: str, *, code: str, hosts: Sequence[str]) -> sa.Select[Any]:
    """SQL: the ids of the request's products with an image that failed for a cause at one of the spelled hosts."""
    return (
        sa.select(ProductImage.product_id)
        .join(Product, Product.id == ProductImage.product_id)
        .where(Product.request_id == request_id, Product.status == ProductStatus.FAILED)
        .where(ProductImage.status == ImageStatus.FAILED, ProductImage.error_code == code)
        .where(url_host(ProductImage.source_url).in_(hosts))
    )


def host_name(spelled: str) -> str:
    """The host of a URL to show: in lower case, without credentials."""
    return spelled.rpartition("@")[2].partition("?")[0].partition("#")[0].lower()


def _failed_products(request_id: str) -> sa.Select[Any]:
    some = (
        sa.select(Product.id)
        .where(Product.request_id == request_id, Product.status.in_(_WITH_FAILURES))
        .limit(MOST_FAILED)
        .subquery()
    )
    return sa.select(some.c.id)


def _examples(request_id: str, group: FailureGroup) -> list[Shown]:
    statement = (
        _images(request_id)
        .where(Product.status.in_(_WITH_FAILURES), ProductImage.status == ImageStatus.FAILED)
        .where(ProductImage.error_code == group.code, url_host(ProductImage.source_url).in_(group.hosts))
    )
    return _read(statement.order_by(Product.row, ProductImage.position).limit(EXAMPLES))
