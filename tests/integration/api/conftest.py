"""Apps of a test's own, for what the shared ones cannot show: other limits, and services that are away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.db.engine import db
from tests.integration.api.answers import AppFactory


@pytest.fixture
def make_app(environ: dict[str, str], tmp_path: Path) -> Iterator[AppFactory]:
    """Make an app on SQLite, migrated unless it is told of another database; keywords are environment variables."""
    made: list[Flask] = []

    def make(**changes: str) -> Flask:
        app = create_app(load_settings(environ | {"DATA_DIR": str(tmp_path), "LOG_LEVEL": "ERROR"} | changes))
        made.append(app)
        if "DATABASE_URL" not in changes:
            with app.app_context():
                flask_migrate.upgrade()
        return app

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def silent() -> Iterator[str]:
    """`host:port` of a server that takes connections and never says a word."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield f"127.0.0.1:{listener.getsockname()[1]}"
