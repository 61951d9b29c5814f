"""API keys: create, check, list, rotate and revoke them."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from imgproc.core.errors import InvalidInput, InvalidOption
from imgproc.db.access_models import ApiKey
from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.transitions import api_keys, sessions
from imgproc.pipeline.notify import generate_secret

PREFIX = "imgproc_"
SECRET_BYTES = 32
SHAPE = re.compile(rf"{PREFIX}[\w-]{{43}}", re.ASCII)
SHOWN_CHARS = len(PREFIX) + 6  # enough to tell keys apart; 222 secret bits are left
MAX_NAME_CHARS = 100
LONGEST_LIFE = timedelta(days=36_525)
SCOPES = ("read", "write", "admin")  # each includes those before it
# SQL: how many webhook secrets a key has. A space separates them.
OWN_SECRETS = sa.case(
    (ApiKey.webhook_secrets.is_(None), 0),
    else_=1 + sa.func.length(ApiKey.webhook_secrets) - sa.func.length(sa.func.replace(ApiKey.webhook_secrets, " ", "")),
).label("own_secrets")


@dataclass(frozen=True)
class Holder:
    """An active key, and what it may do."""

    key_id: str
    name: str
    scope: str


@dataclass(frozen=True)
class Issued:
    """A new key with its secrets, which cannot be shown again."""

    key_id: str
    secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def scopes_of(scope: str) -> tuple[str, ...]:
    """A scope and those that it includes: `write` includes `read`."""
    return SCOPES[: SCOPES.index(scope) + 1]


def create_key(name: str, *, webhook_secret: str | None = None, scope: str = "write") -> str:
    """Create a key that does not expire and return its secret; see `issue_key`."""
    return issue_key(name, webhook_secret=webhook_secret, scope=scope).secret


def issue_key(
    name: str, *, webhook_secret: str | None = None, scope: str = "write", expires_at: datetime | None = None
) -> Issued:
    """Create a key. Only the hash of its secret is stored, so the secret cannot be shown again.

    `webhook_secret` signs the webhooks of the key's requests; None generates one.

    Raises:
        InvalidInput: the name is empty, too long or not printable, or the expiry has passed.
    """
    if not (name.strip() and len(name) <= MAX_NAME_CHARS and name.isprintable()):
        raise InvalidOption(f"Name the key in 1 to {MAX_NAME_CHARS} printable characters.", option="name")
    _require_future(expires_at)
    issued = Issued(str(uuid.uuid4()), _new_secret(), webhook_secret or generate_secret())
    api_keys.create(
        id=issued.key_id,
        name=name,
        webhook_secrets=issued.webhook_secret,
        scope=scope,
        expires_at=expires_at,
        **_kept(issued.secret),
    )
    return issued


def rotate_key(key: Any, *, keep_seconds: float = 0, **expiry: datetime | None) -> str:
    """Give a key another secret and return it. It keeps its id, and so its owner, its requests and its scope.

    The old secret works for `keep_seconds` more. Sessions that began with it end. `expires_at` changes the expiry.

    Raises:
        InvalidInput: the key is revoked, or has expired and is given no later expiry, or was rotated just now.
    """
    expires_at = expiry.get("expires_at", key.expires_at)
    if key.revoked_at is not None:
        raise InvalidInput("This key is revoked; create another.", code="key_revoked")
    _require_future(expires_at)
    secret = _new_secret()
    values = _kept(secret) | {"expires_at": expires_at}
    if not api_keys.rotate(key.id, known=key.secret_hash, keep_seconds=keep_seconds, **values):
        raise InvalidInput("This key was changed just now; look at the list, then try again.", code="key_changed")
    sessions.end_of_key(key.id)
    return secret


def _require_future(expires_at: datetime | None) -> None:
    now = datetime.now(timezone.utc)
    if expires_at is not None and not now < expires_at < now + LONGEST_LIFE:
        raise InvalidOption("The expiry has passed, or is too far away; give a time to come.", option="expiresAt")


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def _kept(secret: str) -> dict[str, str]:
    """The columns that are stored instead of a secret."""
    return {"prefix": secret[:SHOWN_CHARS], "secret_hash": _hash(secret)}


def holder_of(secret: str) -> Holder | None:
    """The active key with this secret, or None. Records that the key was used."""
    if not SHAPE.fullmatch(secret):
        return None  # malformed keys cost no query
    digest = _hash(secret)
    is_current = ApiKey.secret_hash == digest
    is_previous = sa.and_(ApiKey.previous_hash == digest, ApiKey.previous_until > db_now())
    statement = sa.select(ApiKey.__table__, api_keys.use_is_due().label("use_is_due"))
    with db.engine.connect() as connection:
        found = connection.execute(statement.where(api_keys.is_active(), sa.or_(is_current, is_previous))).one_or_none()
    if found is None:
        return None
    matches = [secrets.compare_digest(known, digest) for known in (found.secret_hash, found.previous_hash or "")]
    return holder_from(found) if any(matches) else None


def holder_from(row: Any) -> Holder:
    """The holder of a key, from its row with `use_is_due`. Records that the key was used."""
    if row.use_is_due:
        api_keys.note_use(row.id)
    return Holder(str(row.id), row.name, row.scope)


def list_keys() -> Sequence[Any]:
    """Every key, oldest first, with the revoked ones. `own_secrets` is the number of its webhook secrets."""
    with db.engine.connect() as connection:
        return connection.execute(_listed().order_by(ApiKey.created_at, ApiKey.id)).all()


def page_of_keys(*, limit: int, before: tuple[datetime, str] | None = None) -> Sequence[Any]:
    """A page of keys, newest first, with the revoked ones. `before` is the time and the id of the last key shown."""
    statement = _listed().order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(limit)
    if before is not None:
        time, key_id = before
        place = sa.tuple_(sa.literal(time, ApiKey.created_at.type), sa.literal(key_id, ApiKey.id.type))
        statement = statement.where(sa.tuple_(ApiKey.created_at, ApiKey.id) < place)
    with db.engine.connect() as connection:
        return connection.execute(statement).all()


def find_key(key_id: str) -> Any:
    """The key with this id, revoked or not, or None."""
    with suppress(ValueError), db.engine.connect() as connection:
        return connection.execute(_listed().where(ApiKey.id == str(uuid.UUID(key_id)))).one_or_none()
    return None


def _listed() -> sa.Select[Any]:
    shown = [column for column in ApiKey.__table__.columns if column.name != "webhook_secrets"]
    return sa.select(*shown, OWN_SECRETS)


def revoke_key(name: str) -> str:
    """Revoke the active key with this id, or with the prefix that the list shows. Returns its name.

    Raises:
        InvalidInput: no active key, or more than one, has this id or prefix.
    """
    key = active_key(name)
    revoke_by_id(key.id)
    return str(key.name)


def revoke_by_id(key_id: str) -> None:
    """Revoke a key at once, with the sessions that began with it."""
    api_keys.revoke(key_id)
    sessions.end_of_key(key_id)


def active_key(name: str) -> Any:
    """The unrevoked key with this id or prefix.

    Raises:
        InvalidInput: no such key, or more than one.
    """
    matching = [key for key in list_keys() if key.revoked_at is None and name in {key.id, key.prefix}]
    if len(matching) != 1:
        found = "Several keys have" if matching else "No active key has"
        raise InvalidInput(f"{found} the id or prefix {name!r}; give an id that the list shows.")
    return matching[0]


def _hash(secret: str) -> str:
    """The SHA-256 of a secret. A slow hash adds nothing, because 256 random bits cannot be guessed at any speed."""
    return hashlib.sha256(secret.encode()).hexdigest()
