"""The first transition of a processing request: reserved → pending.

A request is *reserved* before its file is stored: its row is marked as removed, and the sweeper deletes it after an
hour. Accepting lifts the mark. So if a process dies in between, no object is left without a row that names it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import db, single_statement
from imgproc.db.models import ProcessingRequest
from imgproc.db.statuses import OPEN, RequestStatus

UPLOAD_SECONDS = 3600  # time limit for storing an uploaded file


class ReservationLost(Exception):
    """Storing the upload took so long that its reservation has expired."""


def reserve(*, owner: str = "", input_bytes: int = 0, max_open_bytes: int | None = None, **values: Any) -> bool:
    """Insert the request of an upload that is not accepted yet. It expires after an hour.

    Returns False and inserts nothing if the owner's open files would have more than `max_open_bytes`. One statement
    decides, so only uploads decided at the same moment can exceed the limit together.
    """
    table = ProcessingRequest.__table__
    given = {"owner": owner, "input_bytes": input_bytes, **values}
    row = {
        **{name: sa.literal(value, table.c[name].type) for name, value in given.items() if value is not None},
        "status": sa.literal(RequestStatus.CANCELLED, table.c.status.type),
        "removed_at": db_now(),
        "lease_until": db_now(UPLOAD_SECONDS),
    }
    has_room = sa.true() if max_open_bytes is None else open_bytes(owner) + input_bytes <= max_open_bytes
    statement = sa.insert(ProcessingRequest).from_select(list(row), sa.select(*row.values()).where(has_room))
    with single_statement() as connection:
        return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def open_bytes(owner: str) -> sa.ColumnElement[int]:
    """SQL: the bytes of the owner's open and reserved files."""
    total = sa.select(sa.func.coalesce(sa.func.sum(ProcessingRequest.input_bytes), 0))
    total = total.where(ProcessingRequest.owner == owner)
    is_reserved = sa.and_(_is_reserved(), ProcessingRequest.lease_until > db_now())
    is_open = ProcessingRequest.status.in_(OPEN)
    return total.where(is_open).scalar_subquery() + total.where(is_reserved).scalar_subquery()


def _is_reserved() -> sa.ColumnElement[bool]:
    """SQL: the request is a reservation. A request that a caller removed also has `cancel_requested_at`."""
    return sa.and_(ProcessingRequest.removed_at.is_not(None), ProcessingRequest.cancel_requested_at.is_(None))


def find(request_id: str, *, owner: str, fingerprint: str) -> ProcessingRequest | None:
    """The owner's reservation with that id and fingerprint; None if there is none, or it has expired."""
    db.session.rollback()  # on SQLite the session would see the past
    statement = sa.select(ProcessingRequest).where(ProcessingRequest.id == request_id, _is_reserved())
    statement = statement.where(ProcessingRequest.owner == owner, ProcessingRequest.fingerprint == fingerprint)
    return db.session.execute(statement.where(ProcessingRequest.lease_until > db_now())).scalar_one_or_none()


def change(request_id: str, **values: Any) -> bool:
    """Change what a reservation says of its file, and keep it for another hour. Returns False if it has expired."""
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, _is_reserved(), ProcessingRequest.lease_until > db_now())
        .values(lease_until=db_now(UPLOAD_SECONDS), **values)
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1


def withdraw(request_id: str) -> None:
    """Let a reservation expire now, so that the sweeper deletes what was stored for it."""
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, _is_reserved())
        .values(lease_until=db_now())
    )
    with single_statement() as connection:
        connection.execute(statement)


def accept(request_id: str, *, idempotency_key: str | None) -> None:
    """Turn a reservation into a pending request. From now on it is never lost.

    Raises:
        ReservationLost: the reservation has expired.
        sqlalchemy.exc.IntegrityError: the owner has used the idempotency key before.
    """
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id)
        .where(ProcessingRequest.removed_at.is_not(None), ProcessingRequest.lease_until > db_now())
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
