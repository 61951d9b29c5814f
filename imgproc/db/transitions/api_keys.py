"""The transitions of an API key: created, used, rotated, given other webhook secrets, revoked."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from imgproc.db.access_models import ApiKey
from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement

USE_NOTED_EVERY = 3600.0  # seconds; a write for each call would cost more than the call


def create(**values: Any) -> None:
    """Insert an active key."""
    with single_statement() as connection:
        connection.execute(sa.insert(ApiKey).values(**values))


def is_active() -> sa.ColumnElement[bool]:
    """SQL: the key is neither revoked nor expired."""
    return sa.and_(ApiKey.revoked_at.is_(None), sa.or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > db_now()))


def use_is_due() -> sa.ColumnElement[bool]:
    """SQL: the use of the key was last recorded over an hour ago, or never."""
    return sa.or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < db_now(-USE_NOTED_EVERY))


def note_use(key_id: str) -> None:
    """Record that the key is used now, unless another process has just done so."""
    statement = sa.update(ApiKey).where(ApiKey.id == key_id, use_is_due()).values(last_used_at=db_now())
    with single_statement() as connection:
        connection.execute(statement)


def replace_webhook_secrets(key_id: str, *, known: str | None, secrets: str) -> bool:
    """Replace the webhook secrets `known` by `secrets`, both as the column holds them. False if they have changed."""
    statement = (
        sa.update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.webhook_secrets.is_not_distinct_from(known))
        .values(webhook_secrets=secrets)
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1


def rotate(key_id: str, *, known: str, keep_seconds: float, **values: Any) -> bool:
    """Replace the hash `known` by the one in `values`. The old secret works for `keep_seconds` more.

    Returns False if the key has been rotated or revoked meanwhile.
    """
    values["previous_hash"] = known if keep_seconds else None
    values["previous_until"] = db_now(keep_seconds) if keep_seconds else None
    statement = sa.update(ApiKey).where(ApiKey.id == key_id, ApiKey.secret_hash == known, ApiKey.revoked_at.is_(None))
    with single_statement() as connection:
        return connection.execute(statement.values(**values)).rowcount == 1


def revoke(key_id: str) -> bool:
    """Revoke the key. Returns False if it is revoked already."""
    statement = sa.update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=db_now())
    with single_statement() as connection:
        return bool(connection.execute(statement).rowcount)
