"""The JSON of API keys and share links."""

# Field names are the JSON names.
# ruff: noqa: N815

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import AwareDateTime, Field, Integer, List, Nested, String
from apiflask.validators import OneOf, Range
from marshmallow import ValidationError

from imgproc.api.api_keys import SCOPES
from imgproc.api.schemas import moment

LONGEST_OVERLAP = 7 * 24 * 3600
SCOPE_LIST = {"type": "array", "items": {"type": "string", "enum": list(SCOPES)}, "minItems": 1, "maxItems": 3}


class Scopes(Field[str]):
    """A list of scopes, or one as text. Each scope includes those before it, so only the highest is stored."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:  # noqa: ARG002 - marshmallow's signature
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, list) or not given or not all(each in SCOPES for each in given):
            raise ValidationError(f"Give a list of {', '.join(SCOPES)}.")
        return str(max(given, key=SCOPES.index))


def expiry(description: str) -> AwareDateTime:
    """A time with its zone."""
    return AwareDateTime(format="iso", allow_none=True, metadata={"description": description})


class KeyIn(Schema):
    """The key to create."""

    name = String(required=True, metadata={"description": "Who the key is for, in 1 to 100 characters."})
    scopes = Scopes(
        load_default="write",
        metadata=SCOPE_LIST
        | {
            "default": ["write"],
            "description": "`read` sees, `write` also uploads and changes, `admin` also manages keys.",
        },
    )
    expiresAt = expiry("When the key stops working; without it, never.")


class RotateIn(Schema):
    """How a key is rotated."""

    keepOldSeconds = Integer(
        strict=True,
        load_default=0,
        validate=Range(min=0, max=LONGEST_OVERLAP),
        metadata={"description": "How long the old secret works beside the new one; 0 ends it at once."},
    )
    expiresAt = expiry("A new expiry of the key, or null for none; without it, the expiry stays.")


class KeyOut(Schema):
    """A key, without its secret."""

    id = String(metadata={"format": "uuid"})
    name = String()
    prefix = String(metadata={"description": "How the key begins."})
    scopes = List(String(validate=OneOf(SCOPES)))
    createdAt = moment()
    lastUsedAt = moment(allow_none=True)
    expiresAt = moment(allow_none=True)
    revokedAt = moment(allow_none=True)


class CreatedKeyOut(KeyOut):
    """A new key with its secrets, which are shown only here."""

    key = String(metadata={"description": "What calls send. It is shown only here."})
    webhookSecret = String(metadata={"description": "Signs the webhooks of the key. It is shown only here."})


class RotatedKeyOut(KeyOut):
    """A rotated key with its new secret, which is shown only here."""

    key = String(metadata={"description": "What calls send from now on. It is shown only here."})
    oldKeyUntil = moment(allow_none=True)


class KeysOut(Schema):
    """A page of keys, newest first."""

    items = List(Nested(KeyOut))
    nextCursor = String(allow_none=True)


class ShareIn(Schema):
    """The link to create."""

    expiresAt = AwareDateTime(
        format="iso",
        metadata={"description": "When the link stops working: in a year at most; without it, in 30 days."},
    )


class ShareOut(Schema):
    """A link that shows one request, without its address."""

    id = String(metadata={"format": "uuid"})
    createdAt = moment()
    expiresAt = moment()
    revokedAt = moment(allow_none=True)


class CreatedShareOut(ShareOut):
    """A new link with its address, which is shown only here."""

    url = String(metadata={"format": "uri", "description": "Shows the request to whoever has it. Shown only here."})


class SharesOut(Schema):
    """The links of a request, newest first."""

    items = List(Nested(ShareOut))
