"""The transitions of a share link: created, revoked."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from imgproc.db.access_models import ShareLink
from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement


def create(*, id: str, request_id: str, token_hash: str, expires_at: datetime) -> None:  # noqa: A002 - the column
    """Insert a link."""
    values = {"id": id, "request_id": request_id, "token_hash": token_hash, "expires_at": expires_at}
    with single_statement() as connection:
        connection.execute(sa.insert(ShareLink).values(**values))


def revoke(link_id: str) -> bool:
    """Revoke a link. Returns False if it is revoked already."""
    statement = sa.update(ShareLink).where(ShareLink.id == link_id, ShareLink.revoked_at.is_(None))
    with single_statement() as connection:
        return connection.execute(statement.values(revoked_at=db_now())).rowcount == 1
