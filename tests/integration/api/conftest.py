"""Apps that a test makes for itself, with other limits or with services that are down."""

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
    """Make an app on SQLite and migrate it, unless DATABASE_URL is given; keywords are environment variables."""
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
    """`host:port` of a server that accepts connections and never answers."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield f"127.0.0.1:{listener.getsockname()[1]}"
