"""The webhook secrets of API keys: rotate one, and drop the older one."""

from __future__ import annotations

import sqlalchemy as sa

from imgproc.api.api_keys import active_key
from imgproc.core.errors import InvalidInput
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import db
from imgproc.db.transitions import api_keys
from imgproc.journey.services import services
from imgproc.pipeline.notify import generate_secret


def rotate_webhook_secret(name: str) -> str:
    """Give a key, named as for `revoke_key`, a new webhook secret and return it. It cannot be shown again.

    The previous secret (the configured one, if the key had none) signs as well until it is dropped.

    Raises:
        InvalidInput: not exactly one active key is named, or two secrets sign for it already.
    """
    key = active_key(name)
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
    key = active_key(name)
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
