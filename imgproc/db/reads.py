"""Reads of the database: a request, its progress, and its products in row order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from imgproc.db.access_models import ApiKey
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, ProductImage, WebhookDelivery
from imgproc.db.statuses import ENDED, OPEN, UNDELIVERED, UNFINALIZED, ImageStatus, ProductStatus
from imgproc.db.transitions.reservations import open_bytes
from imgproc.db.transitions.window import of_status

WITHOUT_FAILURES = (ProductStatus.COMPLETED, ProductStatus.SKIPPED)
PAGE = 500  # products read at a time; their ids stay below SQLite's limit of bound values


def get_request(request_id: str, *, owner: str | None = None) -> ProcessingRequest | None:
    """The request as it is now, or None if it does not exist, is removed, or does not belong to `owner` (if given).

    Ends the session's transaction first: on SQLite it would still see the past.
    """
    db.session.rollback()
    statement = sa.select(ProcessingRequest)
    statement = statement.where(ProcessingRequest.id == request_id, ProcessingRequest.removed_at.is_(None))
    if owner is not None:
        statement = statement.where(ProcessingRequest.owner == owner)
    return db.session.execute(statement).scalar_one_or_none()


def count_open(owner: str) -> int:
    """How many requests of the owner have not ended."""
    is_open = ProcessingRequest.status.in_(OPEN)
    statement = sa.select(sa.func.count()).where(ProcessingRequest.owner == owner, is_open)
    with db.engine.connect() as connection:
        return connection.execute(statement).scalar_one()


def count_open_bytes(owner: str) -> int:
    """The bytes of the owner's files that are being stored or processed."""
    with db.engine.connect() as connection:
        return int(connection.execute(sa.select(open_bytes(owner))).scalar_one())


def count_open_deliveries(owner: str, *, at_most: int) -> int:
    """How many webhooks of the owner wait or are being sent. Counts up to `at_most`."""
    some = (
        sa.select(WebhookDelivery.id)
        .join(ProcessingRequest, ProcessingRequest.id == WebhookDelivery.request_id)
        .where(ProcessingRequest.owner == owner, WebhookDelivery.status.in_(UNDELIVERED))
        .limit(at_most)
    )
    with db.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()


def request_of(delivery_id: str) -> str | None:
    """The id of the request that a delivery announces; None if it is removed."""
    statement = sa.select(WebhookDelivery.request_id).where(WebhookDelivery.id == delivery_id)
    with db.engine.connect() as connection:
        return connection.execute(statement).scalar_one_or_none()


def webhook_secrets(key_id: str) -> tuple[str, ...] | None:
    """The webhook secrets of a key, active or revoked: None if the key never had any, empty if there is no such key."""
    statement = sa.select(ApiKey.webhook_secrets).where(ApiKey.id == key_id)
    with db.engine.connect() as connection:
        found = connection.execute(statement).one_or_none()
    if found is None:
        return ()
    return None if found.webhook_secrets is None else tuple(found.webhook_secrets.split())


def has_ended(request: ProcessingRequest) -> bool:
    """Whether the request has ended, well or not."""
    return request.status in ENDED


@dataclass(frozen=True)
class Counts:
    """How many products or images a request has, and how many of them completed or failed."""

    total: int
    completed: int
    failed: int


@dataclass(frozen=True)
class Progress:
    """How far a request is: the percentage of images made or failed, and the estimated seconds until the last."""

    percent: int
    eta_seconds: int | None
    products: Counts
    images: Counts


@dataclass(frozen=True)
class Bytes:
    """The bytes of a request's originals and of their renditions."""

    source: int
    output: int

    @property
    def saved_percent(self) -> float | None:
        """The percentage saved, to one decimal; None before the first image."""
        return round(100 * (1 - self.output / self.source), 1) if self.source else None


def progress_of(request: ProcessingRequest, *, is_ending: bool = False) -> Progress:
    """The progress by the request's counters, at the same cost for any size. `is_ending` treats the request as ended.

    Cancelled images count as not done. Before the end the percentage stays below 100.
    """
    ended = is_ending or has_ended(request)
    done, total = request.images_completed + request.images_failed, request.images_total
    percent = 100 * done // total if total else 0
    return Progress(
        percent=percent if ended else min(99, percent),
        eta_seconds=None if ended else _eta_seconds(request, done),
        products=Counts(request.products_total, request.products_completed, request.products_failed),
        images=Counts(total, request.images_completed, request.images_failed),
    )


def _eta_seconds(request: ProcessingRequest, done: int) -> int | None:
    """Seconds left at the average speed so far; None before the first image, and where that speed is not known."""
    speed = images_per_second(request)
    return None if speed is None else max(0, round((request.images_total - done - request.images_cancelled) / speed))


def images_per_second(request: ProcessingRequest) -> float | None:
    """The average speed so far; None before the first image, and where the time that it took is not known."""
    done = request.images_completed + request.images_failed
    if not done or request.started_at is None or was_retried(request):
        return None
    until = request.finished_at or datetime.now(timezone.utc)
    return done / max(0.1, (until - request.started_at).total_seconds())


def was_retried(request: ProcessingRequest) -> bool:
    """Whether the request was opened again after its end: the time since its start then tells nothing of its speed."""
    return request.finalize_epoch > (0 if request.status in UNFINALIZED else 1)


def bytes_of(request: ProcessingRequest) -> Bytes:
    """The bytes by the request's counters."""
    return Bytes(request.source_bytes, request.output_bytes)


def failures_of(request_id: str, *, most: int) -> dict[str, int]:
    """How many images of a request failed with each code; the `most` frequent codes, the most frequent first."""
    images, statuses = sa.func.count(), [status for status in ProductStatus if status not in WITHOUT_FAILURES]
    statement = (
        sa.select(ProductImage.error_code, images)
        .join(Product, Product.id == ProductImage.product_id)
        .where(Product.request_id == request_id, Product.status.in_(statuses))
        .where(ProductImage.status == ImageStatus.FAILED)
        .group_by(ProductImage.error_code)
        .order_by(images.desc(), ProductImage.error_code)
        .limit(most)
    )
    with db.engine.connect() as connection:
        return {code: count for code, count in connection.execute(statement) if code}


def products(
    request_id: str,
    *,
    statuses: Sequence[ProductStatus] = (),
    after_row: int = 0,
    limit: int = PAGE,
) -> list[tuple[Any, list[Any]]]:
    """A page of products in row order, each with its images by position, beginning after `after_row`."""
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
    """All products of a request in row order. Pages are read in bounded memory, each in its own transaction."""
    after_row = 0
    while page := products(request_id, statuses=statuses, after_row=after_row):
        db.session.rollback()
        yield from page
        after_row = page[-1][0].row
    db.session.rollback()


def every_output(request_id: str) -> Iterator[tuple[int, list[Any]]]:
    """For each product in row order: its row, and the `output_key` and `error_detail` of its images by position.

    It reads less of each row than `every_product` does, which halves its time.
    """
    after_row = 0
    page = sa.select(Product.id, Product.row).where(Product.request_id == request_id).order_by(Product.row).limit(PAGE)
    of_image = (ProductImage.product_id, ProductImage.output_key, ProductImage.error_detail)
    while rows := db.session.execute(page.where(Product.row > after_row)).all():
        images: dict[int, list[Any]] = {row.id: [] for row in rows}
        of_page = sa.select(*of_image).where(ProductImage.product_id.in_(list(images)))
        for image in db.session.execute(of_page.order_by(ProductImage.product_id, ProductImage.position)):
            images[image.product_id].append(image)
        db.session.rollback()
        yield from ((row.row, images[row.id]) for row in rows)
        after_row = rows[-1].row
    db.session.rollback()


def ids_of(statement: sa.Select[Any]) -> list[Any]:
    """The ids that a statement finds. Ends the transaction, so that the caller's next statement starts its own."""
    ids = list(db.session.execute(statement).scalars())
    db.session.rollback()
    return ids
