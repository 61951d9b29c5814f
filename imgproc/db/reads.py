"""What is read from the database: a request's figures, and its products in row order. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from imgproc.db.engine import db
from imgproc.db.models import (
    ENDED,
    ApiKey,
    DeliveryStatus,
    ProcessingRequest,
    Product,
    ProductImage,
    ProductStatus,
    RequestStatus,
    WebhookDelivery,
)
from imgproc.db.transitions import requests
from imgproc.db.transitions.window import of_status

OPEN = tuple(status for status in RequestStatus if status not in ENDED)
PAGE = 500  # products read at a time; a page of images stays below SQLite's limit of bound values


def get_request(request_id: str, *, owner: str | None = None) -> ProcessingRequest | None:
    """One request as it is now, or None; of this owner alone, if one is given, so that others' cost no more to ask for.

    An earlier look ends first: on SQLite its transaction still sees the past.
    """
    db.session.rollback()
    request = ProcessingRequest
    statement = sa.select(request).where(request.id == request_id, request.removed_at.is_(None))
    if owner is not None:
        statement = statement.where(request.owner == owner)
    return db.session.execute(statement).scalar_one_or_none()


def count_open(owner: str) -> int:
    """How many requests of the owner have not ended."""
    request = ProcessingRequest
    statement = sa.select(sa.func.count()).where(request.owner == owner, request.status.in_(OPEN))
    with db.engine.connect() as connection:
        return connection.execute(statement).scalar_one()


def count_open_bytes(owner: str) -> int:
    """How many bytes the owner's files under way have."""
    with db.engine.connect() as connection:
        return int(connection.execute(sa.select(requests.open_bytes(owner))).scalar_one())


def count_open_deliveries(owner: str, *, at_most: int) -> int:
    """How many webhooks of the owner wait or are being sent; no more than `at_most` are counted."""
    delivery, request = WebhookDelivery, ProcessingRequest
    some = (
        sa.select(delivery.id)
        .join(request, request.id == delivery.request_id)
        .where(request.owner == owner, delivery.status.in_([DeliveryStatus.PENDING, DeliveryStatus.SENDING]))
        .limit(at_most)
    )
    with db.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()


def webhook_secrets(key_id: str) -> tuple[str, ...] | None:
    """The secrets of the key, in force or not; None where it was made before keys had any; empty without such a key."""
    statement = sa.select(ApiKey.webhook_secrets).where(ApiKey.id == key_id)
    with db.engine.connect() as connection:
        found = connection.execute(statement).one_or_none()
    if found is None:
        return ()
    return None if found.webhook_secrets is None else tuple(found.webhook_secrets.split())


def has_ended(request: ProcessingRequest) -> bool:
    """Whether the request is in one of its ends."""
    return request.status in ENDED


def progress_of(request: ProcessingRequest) -> dict[str, Any]:
    """Counts and percent as the wire shows them, from the counters alone: the same cost for any size."""
    ended = request.images_completed + request.images_failed + request.images_cancelled
    total = request.images_total
    percent = 100 if has_ended(request) else min(99, 100 * ended // total) if total else 0
    return {
        "percent": percent,
        "etaSeconds": None if has_ended(request) else _eta_seconds(request, ended),
        "products": {
            "total": request.products_total,
            "completed": request.products_completed,
            "failed": request.products_failed,
        },
        "images": {"total": total, "completed": request.images_completed, "failed": request.images_failed},
    }


def _eta_seconds(request: ProcessingRequest, ended: int) -> int | None:
    if not ended or request.started_at is None:
        return None
    elapsed = (datetime.now(timezone.utc) - request.started_at).total_seconds()
    return max(0, round(elapsed / ended * (request.images_total - ended)))


def bytes_of(request: ProcessingRequest) -> dict[str, Any]:
    """Bytes before and after, and the percentage saved, to one decimal; None while there is nothing to compare."""
    source, output = request.source_bytes, request.output_bytes
    saved = round(100 * (1 - output / source), 1) if source else None
    return {"source": source, "output": output, "savedPercent": saved}


def products(
    request_id: str,
    *,
    statuses: Sequence[ProductStatus] = (),
    after_row: int = 0,
    limit: int = PAGE,
) -> list[tuple[Any, list[Any]]]:
    """A page of products in row order, each with its images by position; `after_row` is where the last page ended."""
    page = sa.select(Product.__table__).where(Product.request_id == request_id).limit(limit)
    if len(statuses) == 1:
        page = page.where(of_status(statuses[0], after_row=after_row)).order_by(Product.status, Product.row)
    else:
        wanted = [Product.status.in_(statuses)] if statuses else []
        page = page.where(Product.row > after_row, *wanted).order_by(Product.row)
    rows = db.session.execute(page).all()
    images: dict[int, list[Any]] = {row.id: [] for row in rows}
    of_page = (
        sa.select(ProductImage.__table__)
        .where(ProductImage.product_id.in_(list(images)))
        .order_by(ProductImage.product_id, ProductImage.position)
    )
    for image in db.session.execute(of_page):
        images[image.product_id].append(image)
    return [(row, images[row.id]) for row in rows]


def every_product(request_id: str, *, statuses: Sequence[ProductStatus] = ()) -> Iterator[tuple[Any, list[Any]]]:
    """All products of a request in row order, read page by page in bounded memory, holding no transaction between."""
    after_row = 0
    while page := products(request_id, statuses=statuses, after_row=after_row):
        db.session.rollback()
        yield from page
        after_row = page[-1][0].row
    db.session.rollback()


def ids_of(statement: sa.Select[Any]) -> list[Any]:
    """The ids that a statement finds; its transaction ends, so that what follows takes its own."""
    ids = list(db.session.execute(statement).scalars())
    db.session.rollback()
    return ids
