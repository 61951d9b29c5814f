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
MOST_FAILED = 5000  # failures that are grouped by their causes; the others are counted only
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


def _with_products() -> sa.Select[Any]:
    of_product = Product.row, Product.line, Product.serial_number, Product.product_name
    columns = (column.label(f"product_{column.key}") for column in of_product)
    return sa.select(ProductImage.__table__, *columns).join(Product, Product.id == ProductImage.product_id)


def _images(request_id: str) -> sa.Select[Any]:
    return _with_products().where(Product.request_id == request_id)


def _read(statement: sa.Select[Any]) -> list[Shown]:
    return [
        Shown(each, each.product_row, each.product_line, each.product_serial_number, each.product_product_name)
        for each in db.session.execute(statement)
    ]


def worst(request_id: str, *, status: ImageStatus | None, limit: int, offset: int) -> list[Shown]:
    """Ended images of a request with up to MOST_SORTED: failed ones, then those that save least, in whole percent.

    Of those that save the same, the least like their source come first, and those whose likeness is unknown last.
    """
    is_made = sa.case((ProductImage.status == ImageStatus.FAILED, 0), else_=1)
    ratio = sa.cast(ProductImage.output_bytes, sa.Float) / sa.func.nullif(ProductImage.source_bytes, 0)
    statement = _images(request_id).where(ProductImage.status.in_([status] if status else _SHOWN))
    likeness = ProductImage.likeness.asc().nulls_last()
    order = is_made, sa.func.round(ratio * 100).desc(), likeness, Product.row, ProductImage.position
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
    """Images that failed for one cause at one host."""

    code: str
    host: str
    count: int = 0
    retryable: bool = False
    first: list[int] = field(default_factory=list)
    examples: list[Shown] = field(default_factory=list)


def failure_groups(request_id: str) -> list[FailureGroup]:
    """The first MOST_FAILED failures of a request, grouped by cause and host; the largest group comes first.

    Products whose other images are still being made count as well.
    """
    host = url_host(ProductImage.source_url).label("host")
    failures = (
        sa.select(ProductImage.id, ProductImage.error_code, ProductImage.error_retryable, host)
        .join(Product, Product.id == ProductImage.product_id)
        .where(Product.request_id == request_id, Product.status.in_(_WITH_FAILURES))
        .where(ProductImage.status == ImageStatus.FAILED)
        .order_by(Product.status, Product.row, ProductImage.position)
        .limit(MOST_FAILED)
    )
    groups: dict[tuple[str, str], FailureGroup] = {}
    for failure in db.session.execute(failures):
        key = (failure.error_code or "", host_name(failure.host))
        group = groups.setdefault(key, FailureGroup(*key))
        group.count += 1
        group.retryable = group.retryable or bool(failure.error_retryable)
        if len(group.first) < EXAMPLES:
            group.first.append(failure.id)
    return sorted(groups.values(), key=lambda each: (-each.count, each.code, each.host))


def add_examples(groups: Sequence[FailureGroup]) -> None:
    """Read the first failures of some groups."""
    wanted = [image_id for group in groups for image_id in group.first]
    found = {shown.image.id: shown for shown in _read(_with_products().where(ProductImage.id.in_(wanted)))}
    for group in groups:
        group.examples = [found[image_id] for image_id in group.first if image_id in found]


def failed_products(request_id: str, *, code: str | None, host: str | None) -> sa.Select[Any]:
    """SQL: the ids of the request's products with an image that failed for this cause at this host; None is any."""
    failed = (
        sa.select(ProductImage.product_id)
        .join(Product, Product.id == ProductImage.product_id)
        .where(Product.request_id == request_id, Product.status == ProductStatus.FAILED)
        .where(ProductImage.status == ImageStatus.FAILED)
    )
    if code is not None:
        failed = failed.where(ProductImage.error_code == code)
    if host is None:
        return failed
    spelled = url_host(ProductImage.source_url)
    found = db.session.execute(failed.with_only_columns(spelled).distinct()).scalars()
    return failed.where(spelled.in_([each for each in found if host_name(each) == host.lower()]))


def host_name(spelled: str) -> str:
    """The host to show, in lower case. `spelled` may end with a query, where a URL has no slash before it."""
    return spelled.partition("?")[0].partition("#")[0].lower()
