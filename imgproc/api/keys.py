"""API keys over the API, for callers with an admin key."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from apiflask import APIBlueprint, EmptySchema
from flask import Response, request

from imgproc.api import api_keys
from imgproc.api.access_schemas import CreatedKeyOut, KeyIn, KeysOut, RotatedKeyOut, RotateIn
from imgproc.api.inputs import KeysIn
from imgproc.api.json_bodies import require_json_if_any
from imgproc.api.problems import Problem
from imgproc.api.views import decode_cursor, encode_cursor, invalid_cursor
from imgproc.core.errors import InvalidInput, InvalidOption
from imgproc.journey.summary import rfc3339

blueprint = APIBlueprint("keys", __name__, url_prefix="/api/keys", tag="Keys")


@blueprint.before_request
def require_json() -> None:
    """Refuse a body that is not JSON. An empty body is fine where all members are optional."""
    require_json_if_any(
        '{"name": "Spring shop"}' if request.endpoint == "keys.create_key" else '{"keepOldSeconds": 60}'
    )


@blueprint.post("")
@blueprint.input(KeyIn, arg_name="wanted")
@blueprint.output(CreatedKeyOut, status_code=201)
@blueprint.doc(summary="Create a key")
def create_key(wanted: dict[str, Any]) -> dict[str, Any]:
    """The secrets are shown once: only a hash of the key is stored."""
    issued = api_keys.issue_key(wanted["name"], scope=wanted["scopes"], expires_at=wanted.get("expiresAt"))
    shown = key_json(api_keys.find_key(issued.key_id))
    return shown | {"key": issued.secret, "webhookSecret": issued.webhook_secret}


@blueprint.get("")
@blueprint.input(KeysIn, location="query", arg_name="query")
@blueprint.output(KeysOut)
@blueprint.doc(summary="List keys")
def list_keys(query: dict[str, Any]) -> dict[str, Any]:
    """Newest first, in cursor pages, with those that are revoked or have expired."""
    page, cursor = page_of(limit=query["limit"], cursor=query.get("cursor"))
    return {"items": [key_json(key) for key in page], "nextCursor": cursor}


@blueprint.delete("/<key_id>")
@blueprint.output(EmptySchema, status_code=204)
@blueprint.doc(summary="Revoke a key")
def revoke_key(key_id: str) -> Response:
    """The key stops working at once, and so do the sessions that began with it. Its requests stay."""
    api_keys.revoke_by_id(find_key(key_id).id)
    response = Response(status=204)
    del response.headers["Content-Type"]  # there is no content
    return response


@blueprint.post("/<key_id>/rotate")
@blueprint.input(RotateIn, arg_name="wanted")
@blueprint.output(RotatedKeyOut)
@blueprint.doc(summary="Rotate a key")
def rotate_key(key_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Replace the secret. The key keeps its id, its owner's requests, its scopes and its webhook secrets."""
    keep_seconds = wanted.pop("keepOldSeconds")
    secret = rotate(find_key(key_id), keep_seconds=keep_seconds, expiry=wanted)
    until = datetime.now(timezone.utc) + timedelta(seconds=keep_seconds) if keep_seconds else None
    return key_json(api_keys.find_key(key_id)) | {"key": secret, "oldKeyUntil": rfc3339(until)}


def rotate(key: Any, *, keep_seconds: int, expiry: dict[str, Any]) -> str:
    """Rotate a key and return its new secret. `expiry` may hold `expiresAt`.

    Raises:
        Problem: 409 `key_revoked` or `key_changed`.
    """
    try:
        changed = {"expires_at": expiry["expiresAt"]} if "expiresAt" in expiry else {}
        return api_keys.rotate_key(key, keep_seconds=keep_seconds, **changed)
    except InvalidOption:
        raise
    except InvalidInput as error:
        raise Problem(409, error.code, error.detail) from error


def find_key(key_id: str) -> Any:
    """The key with that id.

    Raises:
        Problem: 404 `key_not_found`.
    """
    if found := api_keys.find_key(key_id):
        return found
    raise Problem(404, "key_not_found", "There is no key with this id; list the keys.")


def page_of(*, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
    """A page of keys, and the cursor of the next one.

    Raises:
        Problem: 422 `invalid_cursor`.
    """
    found = list(api_keys.page_of_keys(limit=limit + 1, before=_place(cursor) if cursor is not None else None))
    page = found[:limit]
    more = len(found) > len(page)
    last = page[-1] if page else None
    return page, encode_cursor(last.created_at.isoformat(timespec="microseconds"), last.id) if last and more else None


def _place(cursor: str) -> tuple[datetime, str]:
    created_at, key_id = decode_cursor(cursor, parts=2)
    try:
        return datetime.fromisoformat(created_at).astimezone(timezone.utc), str(uuid.UUID(key_id))
    except (ValueError, OverflowError):
        raise invalid_cursor() from None


def key_json(key: Any) -> dict[str, Any]:
    """The JSON of a key."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(api_keys.scopes_of(key.scope)),
        "createdAt": rfc3339(key.created_at),
        "lastUsedAt": rfc3339(key.last_used_at),
        "expiresAt": rfc3339(key.expires_at),
        "revokedAt": rfc3339(key.revoked_at),
    }
