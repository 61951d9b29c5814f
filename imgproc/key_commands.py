"""The commands that make, list and revoke API keys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

import click
from sqlalchemy.exc import DBAPIError

from imgproc import create_app, keys
from imgproc.errors import InvalidInput
from imgproc.terminal import printable

LINE = "{:<16}{:<18}{:<18}{:<18}{:<38}{}"


@click.group("keys")
def keys_group() -> None:
    """Make, list and revoke API keys."""


@keys_group.command("create")
@click.argument("name")
def create_key(name: str) -> None:
    """Make a key named NAME; prints its secret, this once."""
    with _database():
        secret = keys.create_key(name)
    click.echo(secret)
    click.echo("Keep it safe: it is shown this once, and only its hash is stored.", err=True)


@keys_group.command("list")
def list_keys() -> None:
    """Show every key by its prefix, never its secret. Times are UTC; the last use is known to the hour."""
    click.echo(LINE.format("PREFIX", "CREATED", "LAST USED", "REVOKED", "ID", "NAME"))
    with _database():
        for key in keys.list_keys():
            times = map(_minute, (key.created_at, key.last_used_at, key.revoked_at))
            click.echo(LINE.format(key.prefix, *times, key.id, printable(key.name)))


@keys_group.command("revoke")
@click.argument("key")
def revoke_key(key: str) -> None:
    """Put KEY, an id or a prefix that the list shows, out of force at once."""
    with _database():
        click.echo(f"Revoked {printable(keys.revoke_key(key))}.")


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
