"""The commands that create, list, rotate and revoke API keys, and replace the secrets of their webhooks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import click
from sqlalchemy.exc import DBAPIError

from imgproc.api import api_keys, webhook_secrets
from imgproc.api.keys import key_json
from imgproc.app import create_app
from imgproc.core.errors import InvalidInput
from imgproc.core.terminal import printable

LINE = "{:<16}{:<18}{:<18}{:<18}{:<18}{:<7}{:<11}{:<38}{}"
HEADINGS = ("PREFIX", "CREATED", "LAST USED", "EXPIRES", "REVOKED", "SCOPE", "SIGNED BY", "ID", "NAME")
SIGNED_BY = {0: "shared", 1: "own", 2: "own + old"}  # by the number of webhook secrets of the key
SHOWN_ONCE = "it is shown only once"

EXPIRES = click.option(
    "--expires-in", type=click.IntRange(1, 36_500), metavar="DAYS", help="Days until it stops working."
)

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers.")


@click.group()
def keys() -> None:
    """Create, list, rotate and revoke API keys, and replace their webhook secrets."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(api_keys.SCOPES),
    default="write",
    show_default=True,
    help="read: see requests. write: also upload and change. admin: also manage keys.",
)
@EXPIRES
@AS_JSON
def create_key(name: str, *, scope: str, expires_in: int | None, as_json: bool) -> None:
    """Create a key named NAME. Print it on standard output and its webhook secret on standard error, only once."""
    with _database():
        issued = api_keys.issue_key(name, scope=scope, expires_at=_in_days(expires_in))
        if as_json:
            secrets = {"key": issued.secret, "webhookSecret": issued.webhook_secret}
            return _print_json(key_json(api_keys.find_key(issued.key_id)) | secrets)
    click.echo(issued.secret)
    click.echo(f"Keep it safe: {SHOWN_ONCE}, and only its hash is stored.", err=True)
    click.echo(
        f"Its webhooks are signed with a secret of their own, shown only once: {issued.webhook_secret}", err=True
    )
    return None


@keys.command("list")
@AS_JSON
def list_keys(*, as_json: bool) -> None:
    """Show every key by its prefix, never a secret. Times are UTC; the last use is recorded to the hour.

    SCOPE: `write` includes `read`, and `admin` includes both.

    SIGNED BY: `own` is the key's webhook secret; `own + old` is two, while one replaces the other; `shared` is
    WEBHOOK_SECRET, for keys created before each had a secret of its own.
    """
    with _database():
        found = api_keys.list_keys()
        if as_json:
            return _print_json({"items": [key_json(key) for key in found]})
        click.echo(LINE.format(*HEADINGS))
        for key in found:
            times = map(_minute, (key.created_at, key.last_used_at, key.expires_at, key.revoked_at))
            signed_by = SIGNED_BY[key.own_secrets]
            click.echo(LINE.format(key.prefix, *times, key.scope, signed_by, key.id, printable(key.name)))
    return None


@keys.command("revoke")
@click.argument("key")
def revoke_key(key: str) -> None:
    """Revoke KEY at once. KEY is an id or a prefix that `keys list` shows."""
    with _database():
        click.echo(f"Revoked {printable(api_keys.revoke_key(key))}.")


@keys.command("rotate")
@click.argument("key")
@click.option(
    "--keep-old",
    type=click.IntRange(0, 7 * 24),
    default=0,
    show_default=True,
    metavar="HOURS",
    help="Hours for which the old key works beside the new one.",
)
@EXPIRES
@AS_JSON
def rotate_key(key: str, *, keep_old: int, expires_in: int | None, as_json: bool) -> None:
    """Replace KEY by a new one with the same owner, scope and webhook secrets. Print it once.

    KEY is an id or a prefix that `keys list` shows. Its requests stay visible. The expiry stays unless it is given.
    """
    expiry = {} if expires_in is None else {"expires_at": _in_days(expires_in)}
    with _database():
        found = api_keys.active_key(key)
        secret = api_keys.rotate_key(found, keep_seconds=keep_old * 3600, **expiry)
        if as_json:
            return _print_json(key_json(api_keys.find_key(found.id)) | {"key": secret})
    click.echo(secret)
    ending = f"works for {keep_old} h more" if keep_old else "stopped working"
    click.echo(f"Keep it safe: {SHOWN_ONCE}. The old key {ending}.", err=True)
    return None


@keys.command("rotate-webhook-secret")
@click.argument("key")
def rotate_webhook_secret(key: str) -> None:
    """Create a second webhook secret for KEY and print it once. KEY is an id or a prefix that `keys list` shows."""
    with _database():
        click.echo(webhook_secrets.rotate_webhook_secret(key))
    click.echo(f"Keep it safe: {SHOWN_ONCE}. Webhooks are signed with the old secret too,", err=True)
    click.echo("until you run keys drop-webhook-secret.", err=True)


@keys.command("drop-webhook-secret")
@click.argument("key")
def drop_webhook_secret(key: str) -> None:
    """Delete the older of two webhook secrets of KEY. KEY is an id or a prefix that `keys list` shows."""
    with _database():
        click.echo(f"The older webhook secret of {webhook_secrets.drop_webhook_secret(key)} is deleted.")


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _in_days(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(timezone.utc) + timedelta(days=days)


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


@contextlib.contextmanager
def _database() -> Iterator[None]:
    """The database that the settings name. Its errors become one line."""
    try:
        with create_app().app_context():
            yield
    except InvalidInput as error:
        raise click.ClickException(printable(error.detail)) from error
    except DBAPIError as error:
        raise click.ClickException(
            "The database cannot be reached, or has no tables: start imgproc once, or run imgproc init; imgproc check "
            "says what is wrong."
        ) from error
