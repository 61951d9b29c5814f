"""The threads of a worker process share few connections to the database, so none may need two at a time."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.db import engine
from imgproc.db.engine import db
from imgproc.journey.services import services
from tests.integration import driver
from tests.integration.driver import drain, submit, work
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost


@pytest.fixture
def narrow(app: Flask, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The app of the workers, on the same database: it has one connection, and a second would come too late."""
    monkeypatch.setattr(engine, "CONNECTION_PATIENCE", 2)
    url = services().settings.database_url
    narrow = create_app(load_settings(environ | {"DATABASE_URL": url}), connections=1)
    monkeypatch.setattr(driver, "the_app", lambda: narrow)
    yield narrow
    with narrow.app_context():
        db.engine.dispose()


def test_no_job_needs_two_connections(shop: ImageHost, narrow: Flask) -> None:
    """Nor does one that fails: images that are missing, busy or made before, a webhook, a file that is gone."""
    busy = shop.says("/busy.jpg", Answer(429), Answer(500))
    good = f"{shop.url}/chelsea.jpg"
    for _ in range(2):
        file = csv_of([good, f"{shop.url}/missing.jpg"], good, busy)
        request_id = submit(file, webhookUrl=f"{shop.url}/webhook", outputFormat="xlsx")
        assert drain(request_id)["status"] == "completed_with_errors"
    lost = submit(csv_of(good), webhookUrl=f"{shop.url}/webhook")
    services().store.delete_some(lost)
    assert drain(lost)["error"]["code"] == "input_missing"
    work()
    with narrow.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of a QueuePool
