"""Renews the lease of a request, a product or a delivery, and tells what follows from its expiry."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery

Leased = type[ProcessingRequest] | type[Product] | type[WebhookDelivery]


def renew(table: Leased, row_id: str | int, *, token: str, lease_seconds: float) -> bool:
    """Extend the lease of a row by the database's clock. False means that the lease is lost."""
    statement = (
        sa.update(table).where(table.id == row_id, table.lease_token == token).values(lease_until=db_now(lease_seconds))
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1


Restarted = type[ProcessingRequest] | type[Product]


def is_used_up(table: Restarted, *, max_attempts: int) -> sa.ColumnElement[bool]:
    """SQL: the last attempt of the work has killed a worker that had no other work. Else the work is tried again."""
    return sa.and_(table.alone.is_(sa.true()), table.attempt >= max_attempts)


def run_alone(table: Restarted) -> dict[str, Any]:
    """The columns of work whose worker has died: it runs alone next, and a death among other work is no attempt."""
    attempt = sa.case((table.alone.is_(sa.true()), table.attempt), else_=table.attempt - 1)
    return {"attempt": attempt, "alone": True, "lease_token": None, "lease_until": None}


def may_run(table: Restarted) -> sa.ColumnElement[bool]:
    """SQL: a process may claim the work, because it has no other (bound as `runs_alone`), or it need not run alone."""
    return sa.or_(table.alone.is_(sa.false()), sa.bindparam("runs_alone", type_=sa.Boolean))
