"""Renews the lease of a request, a product or a delivery."""

from __future__ import annotations

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
