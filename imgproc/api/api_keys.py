"""API keys: create, check, list and revoke them, and rotate their webhook secrets."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from imgproc.core.errors import InvalidInput
from imgproc.db.engine import db
from imgproc.db.models import ApiKey
from imgproc.db.transitions import api_keys
from imgproc.journey.services import services
from imgproc.pipeline.notify import generate_secret

PREFIX = "imgproc_"
SECRET_BYTES = 32
SHAPE = re.compile(rf"{PREFIX}[\w-]{{43}}", re.ASCII)
SHOWN_CHARS = len(PREFIX) + 6  # enough to tell keys apart; 222 secret bits are left
MAX_NAME_CHARS = 100
# SQL: how many webhook secrets a key has. A space separates them.
OWN_SECRETS = sa.case(
    (ApiKey.webhook_secrets.is_(None), 0),
    else_=1 + sa.func.length(ApiKey.webhook_secrets) - sa.func.length(sa.func.replace(ApiKey.webhook_secrets, " ", "")),
).label("own_secrets")


def create_key(name: str, *, webhook_secret: str | None = None) -> str:
    """Create a key and return its secret. Only its hash is stored, so the secret cannot be shown again.

    `webhook_secret` signs the webhooks of the key's requests; None generates one.

    Raises:
        InvalidInput: the name is empty, too long or not printable.
    """
    if not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable()):
        raise InvalidInput(f"Name the key in 1 to {MAX_NAME_CHARS} printable characters.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    api_keys.create(
        id=str(uuid.uuid4()),
        name=name,
        prefix=secret[:SHOWN_CHARS],
        secret_hash=_hash(secret),
        webhook_secrets=webhook_secret or generate_secret(),
    )
    return secret


def holder_of(secret: str) -> str | None:
    """The id of the active key with this secret, or None. Records that the key was used."""
    if not SHAPE.fullmatch(secret):
        return None  # malformed keys cost no query
    digest = _hash(secret)
    statement = sa.select(ApiKey.id, ApiKey.secret_hash, api_keys.use_is_due().label("use_is_due"))
    statement = statement.where(ApiKey.secret_hash == digest, ApiKey.revoked_at.is_(None))
    with db.engine.connect() as connection:
        found = connection.execute(statement).one_or_none()
    if found is None or not secrets.compare_digest(found.secret_hash, digest):
        return None
    if found.use_is_due:
        api_keys.note_use(found.id)
    return str(found.id)


def list_keys() -> Sequence[Any]:
    """Every key, oldest first, with the revoked ones. `own_secrets` is the number of its webhook secrets."""
    shown = [column for column in ApiKey.__table__.columns if column.name != "webhook_secrets"]
    statement = sa.select(*shown, OWN_SECRETS).order_by(ApiKey.created_at, ApiKey.id)
    with db.engine.connect() as connection:
        return connection.execute(statement).all()


def revoke_key(name: str) -> str:
    """Revoke the active key with this id, or with the prefix that the list shows. Returns its name.

    Raises:
        InvalidInput: no active key, or more than one, has this id or prefix.
    """
    key = _active_key(name)
    api_keys.revoke(key.id)
    return str(key.name)


def rotate_webhook_secret(name: str) -> str:
    """Give a key, named as for `revoke_key`, a new webhook secret and return it. It cannot be shown again.

    The previous secret (the configured one, if the key had none) signs as well until it is dropped.

    Raises:
        InvalidInput: not exactly one active key is named, or two secrets sign for it already.
    """
    key = _active_key(name)
    known = _webhook_secrets(key.id)
    before = services().settings.webhook_secrets if known is None else tuple(known.split())
    if known and len(before) > 1:
        raise InvalidInput("Two secrets sign for this key already; drop the older one first.")
    return _replace(key.id, known, [generate_secret(), *before])


def drop_webhook_secret(name: str) -> str:
    """Drop the older of a key's two webhook secrets. Returns the name of the key.

    Raises:
        InvalidInput: not exactly one active key is named, or it has no older secret.
    """
    key = _active_key(name)
    known = _webhook_secrets(key.id)
    newest, *older = (known or "").split() or [""]
    if not older:
        raise InvalidInput("This key has no older webhook secret; rotate it first.")
    _replace(key.id, known, [newest])
    return str(key.name)


def _webhook_secrets(key_id: str) -> str | None:
    """The column as stored, for the compare-and-swap that follows."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(ApiKey.webhook_secrets).where(ApiKey.id == key_id)).scalar_one()


def _replace(key_id: str, known: str | None, secrets_: list[str]) -> str:
    """Store these secrets, newest first, and return the newest."""
    if not api_keys.replace_webhook_secrets(key_id, known=known, secrets=" ".join(secrets_)):
        raise InvalidInput("The key's webhook secrets were changed just now; check the list, then try again.")
    return secrets_[0]


def _active_key(name: str) -> Any:
    matching = [key for key in list_keys() if key.revoked_at is None and name in {key.id, key.prefix}]
    if len(matching) != 1:
        found = "Several keys have" if matching else "No active key has"
        raise InvalidInput(f"{found} the id or prefix {name!r}; give an id that the list shows.")
    return matching[0]


def _hash(secret: str) -> str:
    """The SHA-256 of a secret. A slow hash adds nothing, because 256 random bits cannot be guessed at any speed."""
    return hashlib.sha256(secret.encode()).hexdigest()
