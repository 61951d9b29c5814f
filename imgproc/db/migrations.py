"""Flask-Migrate, loaded when it is first used: with Alembic it takes 10 MB, and few processes change tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

# Beside the package where it is installed; in a checkout at the top level.
_INSTALLED, _CHECKOUT = Path(__file__).parents[1] / "migrations", Path(__file__).parents[2] / "migrations"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


class _Extension:
    """Stands for Flask-Migrate's extension until it is used."""

    def __init__(self, app: Flask, database: SQLAlchemy) -> None:
        self._app, self._database = app, database

    def __getattr__(self, name: str) -> Any:
        from flask_migrate import Migrate  # noqa: PLC0415 - see above

        Migrate(self._app, self._database, directory=str(FOLDER), render_as_batch=True)  # replaces this extension
        return getattr(self._app.extensions["migrate"], name)


class _Commands(click.Command):
    """Stands for the group of commands that Flask-Migrate adds to `flask`."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """The context of the group itself, which click invokes."""
        from flask_migrate.cli import db as group  # noqa: PLC0415 - see above

        context: click.Context = group.make_context(*arguments, **options)
        return context


def init_app(app: Flask, database: SQLAlchemy) -> None:
    """Give `app` the extension and `flask db`."""
    app.extensions["migrate"] = _Extension(app, database)
    app.cli.add_command(_Commands("db", help="Perform database migrations."))
