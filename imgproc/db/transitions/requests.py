"""The first transitions of a processing request: reserved, accepted, planned; and its lease.

A request is *reserved* before its file is stored, as one to be removed within the hour, and accepting it lifts that. So
whatever dies in between, no object is left that no row explains.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.core.errors import LeaseLost
from imgproc.db.batch import Batch
from imgproc.db.dialects import db_now
from imgproc.db.engine import insert_many, single_statement, transaction
from imgproc.db.models import ENDED, ImageStatus, ProcessingRequest, Product, ProductImage, ProductStatus, RequestStatus
from imgproc.db.transitions.actions import CANCELLED_IMAGE, count_cancelled
from imgproc.db.transitions.duplicates import url_hash
from imgproc.db.transitions.leases import renew

UPLOAD_SECONDS = 3600  # how long storing an uploaded file may take


class ReservationLost(Exception):
    """The upload took so long that its reservation was removed."""


class PlannedRow(NamedTuple):
    """One row of the file as the plan saves it; a row with an error is kept as skipped."""

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
    """What the plan needs: where the file is, and the last row an earlier, dead plan has saved."""

    input_key: str
    last_row: int


def reserve(*, owner: str = "", input_bytes: int = 0, most_bytes: int | None = None, **values: Any) -> bool:
    """Insert the request of an upload that is not accepted yet: removed after an hour, unless it is.

    False, and nothing is inserted, where `most_bytes` is given and the owner's files under way would be larger. One
    statement decides, so only uploads that are decided at the same moment can exceed the limit together.
    """
    table = ProcessingRequest.__table__
    given = {"owner": owner, "input_bytes": input_bytes, **values}
    row = {
        **{name: sa.literal(value, table.c[name].type) for name, value in given.items() if value is not None},
        "status": sa.literal(RequestStatus.CANCELLED, table.c.status.type),
        "removed_at": db_now(),
        "lease_until": db_now(UPLOAD_SECONDS),
    }
    room = sa.true() if most_bytes is None else open_bytes(owner) + input_bytes <= most_bytes
    statement = sa.insert(ProcessingRequest).from_select(list(row), sa.select(*row.values()).where(room))
    with single_statement() as connection:
        return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def open_bytes(owner: str) -> sa.ColumnElement[int]:
    """SQL: bytes of the owner's files under way, those that are being stored included."""
    request = ProcessingRequest
    bytes_of = sa.select(sa.func.coalesce(sa.func.sum(request.input_bytes), 0)).where(request.owner == owner)
    is_reserved = sa.and_(
        request.removed_at.is_not(None), request.cancel_requested_at.is_(None), request.lease_until > db_now()
    )
    is_open = request.status.in_([status for status in RequestStatus if status not in ENDED])
    under_way, reserved = bytes_of.where(is_open).scalar_subquery(), bytes_of.where(is_reserved).scalar_subquery()
    return under_way + reserved


def withdraw(request_id: str) -> None:
    """Give up a reservation at once: what was stored for it is due to be removed."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.removed_at.is_not(None), request.cancel_requested_at.is_(None))
        .values(lease_until=db_now())
    )
    with single_statement() as connection:
        connection.execute(statement)


def accept(request_id: str, *, idempotency_key: str | None) -> None:
    """Make a reserved request a pending one: from now on it is never lost.

    Raises:
        ReservationLost: its time was up.
        sqlalchemy.exc.IntegrityError: the owner's idempotency key is taken.
    """
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.removed_at.is_not(None), request.lease_until > db_now())
        .values(
            status=RequestStatus.PENDING,
            idempotency_key=idempotency_key,
            created_at=db_now(),
            removed_at=None,
            lease_until=None,
        )
    )
    with single_statement() as connection:
        if connection.execute(statement).rowcount == 0:
            raise ReservationLost


def claim_plan(request_id: str, *, token: str, lease_seconds: int) -> PlanClaim | None:
    """Lease the planning of a request; None where it is planned, ended, or another worker plans it."""
    request = ProcessingRequest
    lease = (
        sa.update(request)
        .where(request.id == request_id, request.status.in_([RequestStatus.PENDING, RequestStatus.PROCESSING]))
        .where(request.planned_at.is_(None), lease_is_free(token))
        .values(
            status=RequestStatus.PROCESSING,
            started_at=sa.func.coalesce(request.started_at, db_now()),
            **leased(token, lease_seconds=lease_seconds),
        )
        .returning(request.input_key)
    )
    last_row = sa.func.coalesce(sa.func.max(Product.row), 0).label("last_row")
    saved = sa.select(last_row).where(Product.request_id == request_id)
    with single_statement() as connection:
        claimed, rows = Batch(lease, saved).run(connection, {})
    return PlanClaim(claimed[0]["input_key"], rows[0]["last_row"]) if claimed else None


def add_products(request_id: str, rows: Sequence[PlannedRow], *, token: str, lease_seconds: int) -> None:
    """Save a chunk of planned rows and renew the plan's lease, in one transaction.

    Raises:
        LeaseLost: another plan has taken over; nothing was saved.
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
            good = [row for row in rows if not row.error_code]
            count_cancelled(connection, request_id, products=len(good), images=sum(len(row.urls) for row in good))


def _insert_products(connection: Connection, request_id: str, rows: Sequence[PlannedRow], *, cancelled: bool) -> None:
    """Insert the products, read the ids the database has given them, then insert their images."""
    if not rows:
        return
    insert_many(connection, Product, _product_rows(request_id, rows, cancelled=cancelled))
    # Asked for with RETURNING, the ids would cost a statement each on SQLite.
    ids = sa.select(Product.id).where(Product.request_id == request_id).order_by(Product.row)
    saved = connection.execute(ids.where(Product.row.between(rows[0].row, rows[-1].row))).scalars()
    status = ImageStatus.CANCELLED if cancelled else ImageStatus.PENDING
    image = (CANCELLED_IMAGE if cancelled else {}) | {"status": status.value, "request_id": uuid.UUID(request_id).hex}
    images = [
        {"product_id": product_id, "position": position, "source_url": url, "url_hash": url_hash(url), **image}
        for product_id, row in zip(saved, rows, strict=True)
        if not row.error_code
        for position, url in enumerate(row.urls, start=1)
    ]
    insert_many(connection, ProductImage, images)


def _product_rows(request_id: str, rows: Sequence[PlannedRow], *, cancelled: bool) -> list[dict[str, Any]]:
    common = {"request_id": uuid.UUID(request_id).hex, "attempt": 0}
    good = (ProductStatus.CANCELLED if cancelled else ProductStatus.PENDING).value
    return [
        {
            **common,
            "row": row.row,
            "line": row.line,
            "serial_number": row.serial_number,
            "product_name": row.product_name,
            "input_cell": row.input_cell,
            "status": ProductStatus.SKIPPED.value if row.error_code else good,
            "error_code": row.error_code,
            "error_detail": row.error_detail,
        }
        for row in rows
    ]


def mark_planned(request_id: str, *, token: str) -> None:
    """Say that every row of the file is saved, and give the lease back."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.lease_token == token)
        .values(planned_at=db_now(), attempt=0, lease_token=None, lease_until=None)
    )
    with single_statement() as connection:
        connection.execute(statement)


def renew_lease(request_id: str, *, token: str, lease_seconds: int) -> bool:
    """Extend the lease of a plan or finalizer; False means it is lost."""
    return renew(ProcessingRequest, request_id, token=token, lease_seconds=lease_seconds)


def return_lease(request_id: str, *, token: str, delay: float) -> None:
    """Give a plan or finalization back, to be tried again after `delay` seconds: the attempt does not count."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.lease_token == token)
        .values(attempt=request.attempt - 1, lease_token=None, lease_until=db_now(delay))
    )
    with single_statement() as connection:
        connection.execute(statement)


def leased(token: str, *, lease_seconds: int) -> dict[str, Any]:
    """The columns that a claim sets: it counts as an attempt, once for each token."""
    request = ProcessingRequest
    return {
        "attempt": sa.case((request.lease_token == token, request.attempt), else_=request.attempt + 1),
        "lease_token": token,
        "lease_until": db_now(lease_seconds),
    }


def lease_is_free(token: str) -> sa.ColumnElement[bool]:
    """SQL: the lease is free and its pause is over, or it is ours (our claim was committed, its answer was lost).

    An expired lease is not free: the sweeper looks at the attempts first, and then releases it.
    """
    request = ProcessingRequest
    paused = sa.and_(request.lease_until.is_not(None), request.lease_until >= db_now())
    return sa.or_(sa.and_(request.lease_token.is_(None), ~paused), request.lease_token == token)
