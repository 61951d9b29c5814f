"""Links that show one request, without an API key and without any action, until they expire or are revoked.

A link's token is signed, and only its hash is stored: whoever reads the database has no link, and a made-up token is
refused before the links are looked up.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint, EmptySchema
from flask import Response, url_for
from itsdangerous import BadSignature, Signer

from imgproc.api.access_schemas import CreatedShareOut, ShareIn, SharesOut
from imgproc.api.json_bodies import require_json_if_any
from imgproc.api.problems import Problem
from imgproc.api.views import find_request
from imgproc.core.errors import InvalidOption
from imgproc.db import reads
from imgproc.db.access_models import ShareLink, SigningKey
from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.db.transitions import shares
from imgproc.journey.summary import rfc3339

DAYS = 30
MOST_DAYS = 366
MOST_LINKS = 50  # of a request that work at a time
MAX_TOKEN_CHARS = 200

blueprint = APIBlueprint("shares", __name__, url_prefix="/api/requests/<request_id>/shares", tag="Requests")


@blueprint.before_request
def require_json() -> None:
    """Refuse a body that is not JSON. An empty body is fine."""
    require_json_if_any('{"expiresAt": "2027-01-31T00:00:00Z"}')


@blueprint.post("")
@blueprint.input(ShareIn, arg_name="wanted")
@blueprint.output(CreatedShareOut, status_code=201)
@blueprint.doc(summary="Share a request")
def share_request(request_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Make a link that shows the request to whoever has it. Its address is shown once."""
    made = share(find_request(request_id), expires_at=wanted.get("expiresAt"))
    return share_json(made.link) | {"url": made.url}


@blueprint.get("")
@blueprint.output(SharesOut)
@blueprint.doc(summary="List a request's links")
def list_shares(request_id: str) -> dict[str, Any]:
    """The links that work, newest first, without their addresses."""
    return {"items": [share_json(link) for link in links_of(find_request(request_id).id)]}


@blueprint.delete("/<share_id>")
@blueprint.output(EmptySchema, status_code=204)
@blueprint.doc(summary="Revoke a link")
def revoke_share(request_id: str, share_id: str) -> Response:
    """The link stops working at once."""
    revoke(find_request(request_id), share_id)
    response = Response(status=204)
    del response.headers["Content-Type"]  # there is no content
    return response


@dataclass(frozen=True)
class Shared:
    """A new link, and its address, which cannot be shown again."""

    link: ShareLink
    url: str


def share(request: ProcessingRequest, *, expires_at: datetime | None = None) -> Shared:
    """Make a link to the request; by default it works for 30 days.

    Raises:
        InvalidOption: the expiry has passed, or is more than a year away.
        Problem: 409 `too_many_links`.
    """
    now = datetime.now(timezone.utc)
    expires_at = expires_at or now + timedelta(days=DAYS)
    if not now < expires_at <= now + timedelta(days=MOST_DAYS):
        raise InvalidOption(f"A link expires in 1 to {MOST_DAYS} days; give a time between.", option="expiresAt")
    if len(links_of(request.id)) >= MOST_LINKS:
        raise Problem(409, "too_many_links", f"This request has {MOST_LINKS} links already; revoke one first.")
    link_id, token = str(uuid.uuid4()), _signer().sign(secrets.token_urlsafe(32)).decode()
    shares.create(id=link_id, request_id=request.id, token_hash=_hash(token), expires_at=expires_at)
    link = next(link for link in links_of(request.id) if link.id == link_id)
    return Shared(link, url_for("shared_request.show_shared", token=token, _external=True))


def links_of(request_id: str) -> list[ShareLink]:
    """The links of a request that work, newest first."""
    statement = sa.select(ShareLink).where(ShareLink.request_id == request_id, _works())
    statement = statement.order_by(ShareLink.created_at.desc(), ShareLink.id).limit(2 * MOST_LINKS)
    db.session.rollback()  # on SQLite the session would see the past
    return list(db.session.execute(statement).scalars())


def revoke(request: ProcessingRequest, share_id: str) -> None:
    """Revoke one of the request's links.

    Raises:
        Problem: 404 `share_not_found`.
    """
    with suppress(ValueError):
        is_meant = ShareLink.id == str(uuid.UUID(share_id))
        statement = sa.select(ShareLink.id).where(is_meant, ShareLink.request_id == request.id)
        if found := db.session.execute(statement).scalar_one_or_none():
            shares.revoke(found)
            return
    raise Problem(404, "share_not_found", "This request has no link with this id; list its links.")


def find_shared(token: str) -> ProcessingRequest:
    """The request that a link shows.

    Raises:
        Problem: 404 `share_not_found`, alike for links that are made up, expired, revoked or of a deleted request.
    """
    request_id = _request_id(token) if len(token) <= MAX_TOKEN_CHARS else None
    if request_id and (found := reads.get_request(request_id)):
        return found
    detail = "This link does not work: it has expired, was revoked, or is not complete. Ask its sender for another."
    raise Problem(404, "share_not_found", detail)


def _request_id(token: str) -> str | None:
    try:
        _signer().unsign(token)
    except BadSignature:
        return None
    digest = _hash(token)
    statement = sa.select(ShareLink.request_id, ShareLink.token_hash).where(ShareLink.token_hash == digest, _works())
    with db.engine.connect() as connection:
        found = connection.execute(statement).one_or_none()
    return str(found.request_id) if found and secrets.compare_digest(found.token_hash, digest) else None


def _works() -> sa.ColumnElement[bool]:
    return sa.and_(ShareLink.revoked_at.is_(None), ShareLink.expires_at > db_now())


def _signer() -> Signer:
    """HMAC-SHA256, compared in constant time."""
    with db.engine.connect() as connection:
        secret = connection.execute(sa.select(SigningKey.secret)).scalar_one()
    return Signer(secret, salt="imgproc.share", digest_method=hashlib.sha256)


def share_json(link: ShareLink) -> dict[str, Any]:
    """The JSON of a link."""
    return {
        "id": link.id,
        "createdAt": rfc3339(link.created_at),
        "expiresAt": rfc3339(link.expires_at),
        "revokedAt": rfc3339(link.revoked_at),
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
