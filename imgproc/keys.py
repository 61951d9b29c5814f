"""API keys: a secret that its holder sees once, and what we keep of it."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from imgproc.errors import InvalidInput
from imgproc.extensions import db
from imgproc.lifecycle import keys
from imgproc.models import ApiKey

PREFIX = "imgproc_"
SECRET_BYTES = 32
SHAPE = re.compile(rf"{PREFIX}[\w-]{{43}}", re.ASCII)
SHOWN_CHARS = len(PREFIX) + 6  # enough to tell keys apart, and 222 bits are left to guess
MAX_NAME_CHARS = 100


def create_key(name: str) -> str:
    """Make a key; returns its secret, which cannot be had again.

    Raises:
        InvalidInput: the name is empty, too long, or cannot be shown.
    """
    if not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable()):
        raise InvalidInput(f"Name the key in 1 to {MAX_NAME_CHARS} printable characters.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    keys.create(id=str(uuid.uuid4()), name=name, prefix=secret[:SHOWN_CHARS], secret_hash=_hash(secret))
    return secret


def holder_of(secret: str) -> str | None:
    """The id of the key in force that has this secret, or None. Notes that it was used."""
    if not SHAPE.fullmatch(secret):
        return None  # so that guesses cost no look-up
    digest = _hash(secret)
    statement = sa.select(ApiKey.id, ApiKey.secret_hash, keys.use_is_due().label("use_is_due"))
    statement = statement.where(ApiKey.secret_hash == digest, ApiKey.revoked_at.is_(None))
    with db.engine.connect() as connection:
        found = connection.execute(statement).one_or_none()
    if found is None or not secrets.compare_digest(found.secret_hash, digest):
        return None
    if found.use_is_due:
        keys.note_use(found.id)
    return str(found.id)


def list_keys() -> Sequence[Any]:
    """Every key, the oldest first, revoked ones included."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(ApiKey.__table__).order_by(ApiKey.created_at, ApiKey.id)).all()


def revoke_key(name: str) -> str:
    """Put out of force the key with this id, or with this prefix as the list shows it; returns its name.

    Raises:
        InvalidInput: no key in force is meant, or several are.
    """
    meant = [key for key in list_keys() if key.revoked_at is None and name in {key.id, key.prefix}]
    if len(meant) != 1:
        found = "Several keys have" if meant else "No key in force has"
        raise InvalidInput(f"{found} the id or prefix {name!r}; give an id that the list shows.")
    keys.revoke(meant[0].id)
    return str(meant[0].name)


def _hash(secret: str) -> str:
    """One round is enough: 256 random bits cannot be guessed, however fast a guess is."""
    return hashlib.sha256(secret.encode()).hexdigest()
