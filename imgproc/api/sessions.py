"""Sessions of people who signed in with an API key: a random token in a cookie, of which the database keeps the hash.

Over HTTPS the cookie has the prefix `__Host-` (RFC 6265bis, 4.1.3.2): no other host, and no page without HTTPS, can set
it.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import sqlalchemy as sa
from flask import request

from imgproc.api.api_keys import Holder, holder_from
from imgproc.db.access_models import ApiKey, Session
from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.transitions import api_keys, sessions

NAME = "imgproc_session"
SECONDS = 7 * 24 * 3600
TOKEN_BYTES = 32
MAX_TOKEN_CHARS = 100
FORGOTTEN = "imgproc.session_forgotten"  # in the environ of a request


def token() -> str | None:
    """The token that the browser sent and keeps, if any."""
    return None if FORGOTTEN in request.environ else request.cookies.get(cookie_name(NAME)) or None


def holder() -> Holder | None:
    """The key of the browser's session, or None: the session has ended, or the key no longer works."""
    given = token()
    if given is None or len(given) > MAX_TOKEN_CHARS:
        return None
    digest = _hash(given)
    statement = (
        sa.select(ApiKey.__table__, Session.token_hash, api_keys.use_is_due().label("use_is_due"))
        .join(Session, Session.key_id == ApiKey.id)
        .where(Session.token_hash == digest, Session.expires_at > db_now(), api_keys.is_active())
    )
    with db.engine.connect() as connection:
        found = connection.execute(statement).one_or_none()
    if found is None or not secrets.compare_digest(found.token_hash, digest):
        return None
    return holder_from(found)


def start(response: Any, key: Holder) -> None:
    """Start a session under a new token, so that a token planted before the sign-in is worth nothing."""
    end()
    sessions.delete_expired()
    new = secrets.token_urlsafe(TOKEN_BYTES)
    sessions.start(_hash(new), key_id=key.key_id, seconds=SECONDS)
    set_cookie(response, NAME, new, seconds=SECONDS)


def end() -> None:
    """End the browser's session, if there is one."""
    if given := token():
        sessions.end(_hash(given))


def ignore() -> None:
    """Treat the browser as without its session, which it is about to `forget`, so that forms get a lasting token."""
    request.environ[FORGOTTEN] = True


def forget(response: Any) -> None:
    """Let the browser delete the cookie."""
    response.delete_cookie(cookie_name(NAME), path="/", secure=request.is_secure, httponly=True, samesite="Lax")


def set_cookie(response: Any, name: str, value: str, *, seconds: int | None = None) -> None:
    """Set a cookie that scripts cannot read and that other sites' forms do not send."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=seconds,
        path="/",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def cookie_name(name: str) -> str:
    """The name of a cookie, with its prefix over HTTPS."""
    return f"__Host-{name}" if request.is_secure else name


def _hash(given: str) -> str:
    """The SHA-256 of a token. A slow hash adds nothing, because 256 random bits cannot be guessed at any speed."""
    return hashlib.sha256(given.encode()).hexdigest()
