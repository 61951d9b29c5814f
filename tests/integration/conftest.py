"""One real Valkey, S3 server and PostgreSQL per session, and the app on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import db, transaction
from imgproc.db.models import ProcessingRequest
from imgproc.journey import lease, turns
from imgproc.journey.services import services
from imgproc.pipeline.notify import generate_secret
from imgproc.queue.connection import redis_client
from tests.integration.api.answers import AppFactory
from tests.support.closing_client import ClosingClient
from tests.support.image_host import ImageHost, open_image_host
from tests.support.postgresql import postgresql
from tests.support.s3 import ObjectStore, create_buckets
from tests.support.valkey_server import valkey

Environ = dict[str, str]
Flask.test_client_class = ClosingClient


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """The S3 server."""
    store = ObjectStore(tmp_path_factory.mktemp("objects"))
    yield store
    store.stop()


@pytest.fixture(scope="session")
def environ(objects: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environ]:
    """The environment of a stack whose servers are given by URL; only the database is missing."""
    with valkey(tmp_path_factory.mktemp("valkey")) as redis_url:
        yield {
            "HOST": "0.0.0.0",  # so that tests may call it by any name
            "DATA_DIR": str(tmp_path_factory.mktemp("data")),
            "REDIS_URL": redis_url,
            **objects.server.environ,
            "S3_PUBLIC_URL": "http://public.example/outputs",
            "ALLOWED_NETWORKS": "127.0.0.0/8",
            "WEBHOOK_SECRET": generate_secret(),
            "WEBHOOK_RETRY_SCHEDULE": "5,300",
            "DOWNLOAD_TIMEOUT": "2",
            "LOG_LEVEL": "ERROR",
        }


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The PostgreSQL server."""
    with postgresql() as url:
        yield url


@contextmanager
def _migrated(environ: Environ) -> Iterator[Flask]:
    app = create_app(load_settings(environ))
    with app.app_context():
        flask_migrate.upgrade()
        create_buckets(services().store)
        yield app
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_app(environ: Environ) -> Iterator[Flask]:
    """The app on SQLite."""
    with _migrated(environ) as app:
        yield app


@pytest.fixture(scope="session")
def postgresql_app(environ: Environ, postgresql_url: str) -> Iterator[Flask]:
    """The app on PostgreSQL."""
    with _migrated(environ | {"DATABASE_URL": postgresql_url}) as app:
        yield app


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The app on either database, with empty tables and an empty Redis, in its app context."""
    app: Flask = request.getfixturevalue(f"{request.param}_app")
    with app.app_context():
        with transaction() as connection:
            connection.execute(sa.delete(ProcessingRequest))
            connection.execute(sa.delete(ApiKey))
        redis_client().flushall()
        lease.stopping.clear()
        tools = app.extensions["services"]
        yield app
        app.extensions["services"] = tools


@pytest.fixture(scope="session")
def the_shop() -> Iterator[ImageHost]:
    """The image host that all tests share."""
    with open_image_host() as shop:
        yield shop


@pytest.fixture
def shop(the_shop: ImageHost) -> ImageHost:
    """The image host, reset."""
    the_shop.reset()
    return the_shop


@pytest.fixture(scope="session")
def migrated_file(environ: Environ, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database that has all migrations and no rows; to copy it takes a hundredth of the time of migrating."""
    folder = tmp_path_factory.mktemp("migrated")
    with create_app(load_settings(environ | {"DATA_DIR": str(folder)})).app_context():
        flask_migrate.upgrade()
        db.engine.dispose()
    (file,) = folder.glob("*.db*")  # no log beside it has rows
    return file


def _fill_if_empty(path: Path, file: Path) -> None:
    if not path.exists() or not path.stat().st_size:
        shutil.copyfile(file, path)


@pytest.fixture
def make_app(environ: dict[str, str], migrated_file: Path, tmp_path: Path) -> Iterator[AppFactory]:
    """Make an app on SQLite with all migrations, unless DATABASE_URL is given; keywords are environment variables."""
    made: list[Flask] = []

    def make(**changes: str) -> Flask:
        settings = load_settings(environ | {"DATA_DIR": str(tmp_path), "LOG_LEVEL": "ERROR"} | changes)
        app = create_app(settings)
        made.append(app)
        if "DATABASE_URL" not in changes:
            _fill_if_empty(Path(str(sa.make_url(settings.database_url).database)), migrated_file)
        return app

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def silent() -> Iterator[str]:
    """`host:port` of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def finalized_by_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every file for a large one, which is finalized by a job of its own."""
    monkeypatch.setattr(turns, "EXPRESS_ROWS", 0)
