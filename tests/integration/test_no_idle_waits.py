"""Small files do not wait: statements and clients are ready before the fork, and a plan does not pause at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from botocore.loaders import JSONFileLoader
from flask import Flask
from sqlalchemy.sql.compiler import SQLCompiler

from imgproc.app import create_app
from imgproc.core.config import UNSET_SETTINGS, load_settings
from imgproc.db.engine import db, sharing_write_lock
from imgproc.db.models import Base, ProcessingRequest
from imgproc.db.transitions import deliveries, finalization, products, requests
from imgproc.journey import plan, warm_up
from imgproc.pipeline.storage import clients
from tests.integration.driver import row, submit, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost
from tests.support.store_operations import make_store

NO_ID = "00000000-0000-0000-0000-000000000000"
LEASE: Any = {"token": "t", "lease_seconds": 30}


@pytest.fixture
def new_app(tmp_path: Path) -> Iterator[Flask]:
    """An app whose engine has compiled nothing yet, and whose database has no tables."""
    given = {"DATA_DIR": str(tmp_path), "S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "secret"}
    app: Flask = create_app(load_settings(UNSET_SETTINGS | given))
    with app.app_context():
        yield app
        db.engine.dispose()


@pytest.mark.usefixtures("new_app")
def test_a_warm_process_compiles_no_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers that are forked from it would each compile them in their first jobs."""
    flask_migrate.upgrade()
    warm_up.warm_up.__wrapped__()
    compiled: list[object] = []
    real = SQLCompiler.__init__

    def counted(self: SQLCompiler, *arguments: Any, **options: Any) -> None:
        compiled.append(self)
        real(self, *arguments, **options)

    monkeypatch.setattr(SQLCompiler, "__init__", counted)
    assert requests.claim_plan(NO_ID, **LEASE) is None
    assert products.claim(1, **LEASE) is None
    assert finalization.claim_finalize(NO_ID, epoch=1, **LEASE) is None
    assert deliveries.claim(NO_ID, **LEASE) is None
    assert compiled == []


@pytest.mark.usefixtures("new_app")
def test_warming_up_changes_nothing() -> None:
    """It runs the statements of the jobs for rows that do not exist."""
    flask_migrate.upgrade()
    before = numbers_of_rows()
    warm_up.warm_up.__wrapped__()
    assert numbers_of_rows() == before


def numbers_of_rows() -> dict[str, int | None]:
    """How many rows each table has."""
    with db.engine.connect() as connection:
        tables = Base.metadata.tables.values()
        return {each.name: connection.execute(sa.select(sa.func.count()).select_from(each)).scalar() for each in tables}


@pytest.mark.usefixtures("new_app")
def test_a_database_without_tables_is_no_obstacle() -> None:
    """The workers start, and meet the same error as before."""
    warm_up.warm_up.__wrapped__()


def test_a_fork_inherits_the_description_of_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from files once, and every later process makes its own client from it."""
    store = make_store("http://127.0.0.1:9")
    clients.preload()
    read: list[str] = []
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda _self, path: read.append(path))
    assert store.client().meta.service_model.service_name == "s3"
    assert [path for path in read if list(Path(path).parent.glob(f"{Path(path).name}.*"))] == []


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(("rows", "pauses"), [(1, 0), (4, 2)], ids=["fewer than a chunk", "two chunks"])
def test_a_plan_only_pauses_before_more_rows(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch, rows: int, pauses: int
) -> None:
    """It leaves the write lock to others between two chunks; after the last one nothing follows."""
    ways: list[str] = []

    def counted() -> AbstractContextManager[None]:
        ways.append("way")
        return sharing_write_lock()

    monkeypatch.setattr(plan, "PLAN_CHUNK", 2)
    monkeypatch.setattr(plan, "sharing_write_lock", counted)
    submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * rows))
    work(most=1)
    assert (len(ways), row(ProcessingRequest).planned_at is not None) == (pauses, True)
