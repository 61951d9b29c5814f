"""The transitions of a session: started, ended."""

from __future__ import annotations

import sqlalchemy as sa

from imgproc.db.access_models import Session
from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement


def start(token_hash: str, *, key_id: str, seconds: float) -> None:
    """Insert a session that ends by itself after `seconds`."""
    values = {"token_hash": token_hash, "key_id": key_id, "expires_at": db_now(seconds)}
    with single_statement() as connection:
        connection.execute(sa.insert(Session).values(**values))


def end(token_hash: str) -> None:
    """End one session."""
    _delete(Session.token_hash == token_hash)


def end_of_key(key_id: str) -> None:
    """End every session of a key."""
    _delete(Session.key_id == key_id)


def delete_expired() -> None:
    """Delete the sessions that have ended by themselves."""
    _delete(Session.expires_at < db_now())


def _delete(which: sa.ColumnElement[bool]) -> None:
    with single_statement() as connection:
        connection.execute(sa.delete(Session).where(which))
