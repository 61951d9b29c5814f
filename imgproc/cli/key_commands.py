"""The commands that create, list and revoke API keys, and replace the secrets of their webhooks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

import click
from sqlalchemy.exc import DBAPIError

from imgproc.api import api_keys
from imgproc.app import create_app
from imgproc.core.errors import InvalidInput
from imgproc.core.terminal import printable
from imgproc.pipeline.notify import generate_secret

LINE = "{:<16}{:<18}{:<18}{:<18}{:<10}{:<38}{}"
SIGNED_BY = {0: "shared", 1: "own", 2: "own + old"}  # by the number of webhook secrets of the key
SHOWN_ONCE = "it is shown only once"


@click.group()
def keys() -> None:
    """Create, list and revoke API keys, and replace their webhook secrets."""


@keys.command("create")
@click.argument("name")
def create_key(name: str) -> None:
    """Create a key named NAME. Print it on standard output and its webhook secret on standard error, only once."""
    webhook_secret = generate_secret()
    with _database():
        secret = api_keys.create_key(name, webhook_secret=webhook_secret)
    click.echo(secret)
    click.echo(f"Keep it safe: {SHOWN_ONCE}, and only its hash is stored.", err=True)
    click.echo(f"Its webhooks are signed with a secret of their own, shown only once: {webhook_secret}", err=True)


@keys.command("list")
def list_keys() -> None:
    """Show every key by its prefix, never a secret. Times are UTC; the last use is recorded to the hour.

    SIGNED BY: `own` is the key's webhook secret; `own + old` is two, while one replaces the other; `shared` is
    WEBHOOK_SECRET, for keys created before each had a secret of its own.
    """
    click.echo(LINE.format("PREFIX", "CREATED", "LAST USED", "REVOKED", "SIGNED BY", "ID", "NAME"))
    with _database():
        for key in api_keys.list_keys():
            times = map(_minute, (key.created_at, key.last_used_at, key.revoked_at))
            click.echo(LINE.format(key.prefix, *times, SIGNED_BY[key.own_secrets], key.id, printable(key.name)))


@keys.command("revoke")
@click.argument("key")
def revoke_key(key: str) -> None:
    """Revoke KEY at once. KEY is an id or a prefix that `keys list` shows."""
    with _database():
        click.echo(f"Revoked {printable(api_keys.revoke_key(key))}.")


@keys.command("rotate-webhook-secret")
@click.argument("key")
def rotate_webhook_secret(key: str) -> None:
    """Create a second webhook secret for KEY and print it once. KEY is an id or a prefix that `keys list` shows."""
    with _database():
        click.echo(api_keys.rotate_webhook_secret(key))
    click.echo(f"Keep it safe: {SHOWN_ONCE}. Webhooks are signed with the old secret too,", err=True)
    click.echo("until you run keys drop-webhook-secret.", err=True)


@keys.command("drop-webhook-secret")
@click.argument("key")
def drop_webhook_secret(key: str) -> None:
    """Delete the older of two webhook secrets of KEY. KEY is an id or a prefix that `keys list` shows."""
    with _database():
        click.echo(f"The older webhook secret of {api_keys.drop_webhook_secret(key)} is deleted.")


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
            "The database cannot be reached, or has no tables: start imgproc once, or run flask --app imgproc.app "
            "db upgrade."
        ) from error
