"""The commands that make, list and revoke API keys, and replace what signs their webhooks."""

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
SIGNED_BY = ("shared", "own")  # by the number of the key's own webhook secrets; beyond these, one replaces another
SHOWN_ONCE = "it is shown this once"


@click.group()
def keys() -> None:
    """Make, list and revoke API keys, and replace their webhook secrets."""


@keys.command("create")
@click.argument("name")
def create_key(name: str) -> None:
    """Make a key named NAME; prints its secret, and on standard error that of its webhooks, this once."""
    webhook_secret = generate_secret()
    with _database():
        secret = api_keys.create_key(name, webhook_secret=webhook_secret)
    click.echo(secret)
    click.echo(f"Keep it safe: {SHOWN_ONCE}, and only its hash is stored.", err=True)
    click.echo(f"Its webhooks are signed with a secret of their own, shown this once: {webhook_secret}", err=True)


@keys.command("list")
def list_keys() -> None:
    """Show every key by its prefix, never a secret. Times are UTC; the last use is known to the hour.

    SIGNED BY: `own` is a webhook secret of the key's; `own + old` is two, while one replaces the other; `shared` is the
    configured one, of keys made before each had its own.
    """
    click.echo(LINE.format("PREFIX", "CREATED", "LAST USED", "REVOKED", "SIGNED BY", "ID", "NAME"))
    with _database():
        for key in api_keys.list_keys():
            times = map(_minute, (key.created_at, key.last_used_at, key.revoked_at))
            click.echo(LINE.format(key.prefix, *times, _signed_by(key.own_secrets), key.id, printable(key.name)))


@keys.command("revoke")
@click.argument("key")
def revoke_key(key: str) -> None:
    """Put KEY, an id or a prefix that the list shows, out of force at once."""
    with _database():
        click.echo(f"Revoked {printable(api_keys.revoke_key(key))}.")


@keys.command("rotate-webhook-secret")
@click.argument("key")
def rotate_webhook_secret(key: str) -> None:
    """Give KEY, an id or a prefix that the list shows, another webhook secret; prints it, this once."""
    with _database():
        click.echo(api_keys.rotate_webhook_secret(key))
    click.echo(f"Keep it safe: {SHOWN_ONCE}. What signed before signs beside it", err=True)
    click.echo("until you run keys drop-webhook-secret.", err=True)


@keys.command("drop-webhook-secret")
@click.argument("key")
def drop_webhook_secret(key: str) -> None:
    """Let the newer webhook secret of KEY, an id or a prefix that the list shows, alone sign from now on."""
    with _database():
        click.echo(f"The older webhook secret of {api_keys.drop_webhook_secret(key)} signs no more.")


def _signed_by(own_secrets: int) -> str:
    return SIGNED_BY[own_secrets] if own_secrets < len(SIGNED_BY) else "own + old"


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


@contextlib.contextmanager
def _database() -> Iterator[None]:
    """The database of the settings; a fault is one line."""
    try:
        with create_app().app_context():
            yield
    except InvalidInput as error:
        raise click.ClickException(printable(error.detail)) from error
    except DBAPIError as error:
        raise click.ClickException(
            "The database is away or has no tables: start imgproc once, or run flask --app wsgi db upgrade."
        ) from error
