"""The planning of a processing request: pending → processing, its products saved, and the lease of the request."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.orm import aliased

from imgproc.core.errors import LeaseLost
from imgproc.db.batch import Batch
from imgproc.db.dialects import db_now
from imgproc.db.engine import insert_many, single_statement, transaction
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.statuses import OPEN, UNFINALIZED, ImageStatus, ProductStatus, RequestStatus
from imgproc.db.transitions.actions import CANCELLED_IMAGE, count_cancelled
from imgproc.db.transitions.duplicates import url_hash
from imgproc.db.transitions.leases import may_run, renew

LARGE_ROWS = 10_000  # a file with more takes seconds to plan or to finalize
MOST_LARGE = 1000  # large files that are planned or finalized at a time, unless the caller gives another limit


class PlannedRow(NamedTuple):
    """One row of the file as the plan saves it. A row with an error is saved as skipped."""

    row: int
    line: int
    serial_number: str
    product_name: str
    input_cell: str
    urls: Sequence[str]
    error_code: str | None = None
    error_detail: str | None = None


@dataclass(frozen=True)
class PlanClaim:
    """What a plan needs: the key of the file, how it is read, and the last row that an earlier attempt has saved.

    `traceparent` names the trace of the request.
    """

    input_key: str
    file_options: dict[str, Any] | None
    last_row: int
    traceparent: str | None = None


# The statements below are built once, because building them takes longer than running them. No bound name is that of a
# column, because those name the columns that an UPDATE sets.
THIS = sa.bindparam("this", type_=ProcessingRequest.id.type)
_TOKEN = sa.bindparam("token", type_=ProcessingRequest.lease_token.type)
_IS_OURS = ProcessingRequest.lease_token == _TOKEN


def _has_room() -> sa.ColumnElement[bool]:
    other = aliased(ProcessingRequest)
    # Literals, because a database uses a partial index only for a statement that repeats its condition.
    statuses = sa.bindparam("open", OPEN, type_=other.status.type, expanding=True, literal_execute=True)
    others = (
        sa.select(sa.func.count())
        .select_from(other)
        .where(other.status.in_(statuses), other.lease_until > db_now(), other.rows_total > LARGE_ROWS)
        .where(other.lease_token.is_not(None), other.lease_token != _TOKEN)
        .scalar_subquery()
    )
    most = sa.bindparam("most_large", type_=sa.Integer)
    return sa.or_(ProcessingRequest.rows_total <= LARGE_ROWS, others < most)


def _lease_is_free() -> sa.ColumnElement[bool]:
    until = ProcessingRequest.lease_until
    is_delayed = sa.and_(until.is_not(None), until >= db_now())
    return sa.or_(sa.and_(ProcessingRequest.lease_token.is_(None), ~is_delayed), _IS_OURS)


# SQL: the lease is free and its delay is over, or it is ours because the response to our claim was lost; and the file
# is small, or fewer than `most_large` other large ones are planned or finalized now, so that large files never hold all
# workers; and the process has no other work, or the work need not run alone. Claims at the same moment may exceed the
# limit. An expired lease is not free: the sweeper counts the attempts first and then releases it.
MAY_LEASE = sa.and_(_lease_is_free(), _has_room(), may_run(ProcessingRequest))
# The columns that a claim sets. A claim counts as one attempt, even if the same token claims twice.
LEASED = {
    "attempt": sa.case((_IS_OURS, ProcessingRequest.attempt), else_=ProcessingRequest.attempt + 1),
    "lease_token": _TOKEN,
    "lease_until": db_now(sa.bindparam("seconds", type_=sa.Float)),
}
_CLAIM_PLAN = Batch(
    sa.update(ProcessingRequest)
    .where(ProcessingRequest.id == THIS, ProcessingRequest.status.in_(UNFINALIZED))
    .where(ProcessingRequest.planned_at.is_(None), MAY_LEASE)
    .values(
        status=RequestStatus.PROCESSING, started_at=sa.func.coalesce(ProcessingRequest.started_at, db_now()), **LEASED
    )
    .returning(ProcessingRequest.input_key, ProcessingRequest.file_options, ProcessingRequest.traceparent),
    sa.select(sa.func.coalesce(sa.func.max(Product.row), 0).label("last_row")).where(Product.request_id == THIS),
)


def claim_plan(
    request_id: str, *, token: str, lease_seconds: int, most_large: int = MOST_LARGE, alone: bool = False
) -> PlanClaim | None:
    """Lease the planning of a request. Returns None if it is planned, has ended, or another worker plans it.

    Also returns None for a large file while `most_large` are planned or finalized, and for one that must run `alone`.
    """
    values = {
        "this": request_id,
        "token": token,
        "seconds": lease_seconds,
        "most_large": most_large,
        "runs_alone": alone,
    }
    with single_statement() as connection:
        claimed, rows = _CLAIM_PLAN.run(connection, values)
    return PlanClaim(**claimed[0], **rows[0]) if claimed else None


def add_products(request_id: str, rows: Sequence[PlannedRow], *, token: str, lease_seconds: int) -> None:
    """Save a chunk of planned rows and renew the lease, in one transaction.

    Raises:
        LeaseLost: another worker plans the request now; nothing was saved.
    """
    fence = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.lease_token == token)
        .values(lease_until=db_now(lease_seconds))
        .returning(ProcessingRequest.cancel_requested_at)
    )
    with transaction() as connection:
        fenced = connection.execute(fence).one_or_none()
        if fenced is None:
            raise LeaseLost("Another worker plans this request now.")
        cancelled = fenced.cancel_requested_at is not None
        _insert_products(connection, request_id, rows, cancelled=cancelled)
        if cancelled:
            valid = [row for row in rows if not row.error_code]
            count_cancelled(connection, request_id, products=len(valid), images=sum(len(row.urls) for row in valid))


_ROW = ("row", "line", "serial_number", "product_name", "input_cell")
_PRODUCT = ("request_id", *_ROW, "status", "attempt", "error_code", "error_detail")
_IMAGE = ("product_id", "request_id", "url_hash", "position", "source_url", "status")


def _insert_products(connection: Connection, request_id: str, rows: Sequence[PlannedRow], *, cancelled: bool) -> None:
    """Insert the products, read the ids that the database gave them, and insert their images."""
    if not rows:
        return
    key, skipped = uuid.UUID(request_id).hex, ProductStatus.SKIPPED.value
    valid = (ProductStatus.CANCELLED if cancelled else ProductStatus.PENDING).value
    products = [(key, *row[: len(_ROW)], skipped if row.error_code else valid, 0, *row[-2:]) for row in rows]
    insert_many(connection, Product, _PRODUCT, products)
    # With RETURNING, SQLite would need a statement for each id.
    ids = sa.select(Product.id).where(Product.request_id == request_id).order_by(Product.row)
    saved = connection.execute(ids.where(Product.row.between(rows[0].row, rows[-1].row))).scalars().all()
    status = (ImageStatus.CANCELLED if cancelled else ImageStatus.PENDING).value
    why = {name: value for name, value in CANCELLED_IMAGE.items() if cancelled and name != "status"}
    images = [
        (product_id, key, url_hash(url), position, url, status, *why.values())
        for product_id, row in zip(saved, rows, strict=True)
        if not row.error_code
        for position, url in enumerate(row.urls, start=1)
    ]
    insert_many(connection, ProductImage, (*_IMAGE, *why), images)


def mark_planned(request_id: str, *, token: str) -> None:
    """Record that every row of the file is saved, and release the lease."""
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.lease_token == token)
        .values(planned_at=db_now(), attempt=0, alone=False, lease_token=None, lease_until=None)
    )
    with single_statement() as connection:
        connection.execute(statement)


def renew_lease(request_id: str, *, token: str, lease_seconds: int) -> bool:
    """Extend the lease of a plan or a finalization. False means that the lease is lost."""
    return renew(ProcessingRequest, request_id, token=token, lease_seconds=lease_seconds)


def return_lease(request_id: str, *, token: str, delay: float) -> None:
    """Release the lease of a plan or a finalization without counting the attempt; it is due after `delay` seconds."""
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.lease_token == token)
        .values(attempt=ProcessingRequest.attempt - 1, lease_token=None, lease_until=db_now(delay))
    )
    with single_statement() as connection:
        connection.execute(statement)


def postpone(request_id: str, *, delay: float) -> None:
    """Delay the plan or the finalization of a large file that could not be claimed by `delay` seconds."""
    until = ProcessingRequest.lease_until
    is_due = sa.and_(ProcessingRequest.lease_token.is_(None), sa.or_(until.is_(None), until < db_now()))
    is_unplanned = sa.and_(ProcessingRequest.status.in_(UNFINALIZED), ProcessingRequest.planned_at.is_(None))
    is_finalizing = ProcessingRequest.status == RequestStatus.FINALIZING
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, is_due, sa.or_(is_unplanned, is_finalizing))
        .where(ProcessingRequest.rows_total > LARGE_ROWS)
        .values(lease_until=db_now(delay))
    )
    with single_statement() as connection:
        connection.execute(statement)
