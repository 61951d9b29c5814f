"""API keys: a secret that its holder sees once, and what we keep of it."""

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
SHOWN_CHARS = len(PREFIX) + 6  # enough to tell keys apart, and 222 bits are left to guess
MAX_NAME_CHARS = 100
# Secrets hold no space, and one separates them.
OWN_SECRETS = sa.case(
    (ApiKey.webhook_secrets.is_(None), 0),
    else_=1 + sa.func.length(ApiKey.webhook_secrets) - sa.func.length(sa.func.replace(ApiKey.webhook_secrets, " ", "")),
).label("own_secrets")


def create_key(name: str, *, webhook_secret: str | None = None) -> str:
    """Make a key; returns its secret, which cannot be had again.

    `webhook_secret` signs the webhooks of its requests; None makes one, which a rotation replaces by one that is shown.

    Raises:
        InvalidInput: the name is empty, too long, or cannot be shown.
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
    """The id of the key in force that has this secret, or None. Notes that it was used."""
    if not SHAPE.fullmatch(secret):
        return None  # so that guesses cost no look-up
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
    """Every key, the oldest first, revoked ones included; of its webhook secrets their number, `own_secrets`, alone."""
    shown = [column for column in ApiKey.__table__.columns if column.name != "webhook_secrets"]
    statement = sa.select(*shown, OWN_SECRETS).order_by(ApiKey.created_at, ApiKey.id)
    with db.engine.connect() as connection:
        return connection.execute(statement).all()


def revoke_key(name: str) -> str:
    """Put out of force the key with this id, or with this prefix as the list shows it; returns its name.

    Raises:
        InvalidInput: no key in force is meant, or several are.
    """
    key = _in_force(name)
    api_keys.revoke(key.id)
    return str(key.name)


def rotate_webhook_secret(name: str) -> str:
    """Give a key, named as to `revoke_key`, another webhook secret; returns it, as it cannot be had again.

    What signed before signs beside it until it is dropped. That is the configured secret where the key had none.

    Raises:
        InvalidInput: no one key in force is meant, or two secrets sign for it already.
    """
    key = _in_force(name)
    known = _webhook_secrets(key.id)
    before = services().settings.webhook_secrets if known is None else tuple(known.split())
    if known and len(before) > 1:
        raise InvalidInput("Two secrets sign for this key already; drop the older one first.")
    made = generate_secret()
    return _replace(key.id, known, [made, *before])


def drop_webhook_secret(name: str) -> str:
    """Let the newer of a key's two webhook secrets alone sign from now on; returns the name of the key.

    Raises:
        InvalidInput: no one key in force is meant, or there is no older secret.
    """
    key = _in_force(name)
    known = _webhook_secrets(key.id)
    newest, *older = (known or "").split() or [""]
    if not older:
        raise InvalidInput("This key has no older webhook secret; rotate it first.")
    _replace(key.id, known, [newest])
    return str(key.name)


def _webhook_secrets(key_id: str) -> str | None:
    """The column as it is: what the transition to come must find."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(ApiKey.webhook_secrets).where(ApiKey.id == key_id)).scalar_one()


def _replace(key_id: str, known: str | None, secrets_: list[str]) -> str:
    """Let these sign, the newest first; returns that."""
    if not api_keys.replace_webhook_secrets(key_id, known=known, secrets=" ".join(secrets_)):
        raise InvalidInput("The key's webhook secrets were changed just now; look at the list, then try again.")
    return secrets_[0]


def _in_force(name: str) -> Any:
    meant = [key for key in list_keys() if key.revoked_at is None and name in {key.id, key.prefix}]
    if len(meant) != 1:
        found = "Several keys have" if meant else "No key in force has"
        raise InvalidInput(f"{found} the id or prefix {name!r}; give an id that the list shows.")
    return meant[0]


def _hash(secret: str) -> str:
    """One round is enough: 256 random bits cannot be guessed, however fast a guess is."""
    return hashlib.sha256(secret.encode()).hexdigest()
