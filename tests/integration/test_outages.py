"""What callers see while the database or Redis is down."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from imgproc.db import reads
from imgproc.db.engine import db
from imgproc.queue.connection import redis_client
from tests.integration.driver import get, submit, upload
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost


def end_other_sessions(app: Flask) -> None:
    """Terminate every other session of PostgreSQL, as a restart does."""
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    engine = sa.create_engine(app.config["SQLALCHEMY_DATABASE_URI"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(others))


@pytest.mark.parametrize("app", ["postgresql"], indirect=True)
def test_a_response_survives_the_loss_of_the_database_connection(
    app: Flask, shop: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller still gets the response, and the next request opens a new connection."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    progress_of = reads.progress_of

    def then_end_sessions(*arguments: Any) -> Any:
        end_other_sessions(app)
        return progress_of(*arguments)

    db.session.remove()
    with monkeypatch.context() as patched:
        patched.setattr(reads, "progress_of", then_end_sessions)
        patched.setattr("imgproc.api.status._latest_delivery", lambda _request_id: None)
        with app.app_context():
            response = app.test_client().get(f"/api/status/{request_id}")
    assert (response.status_code, response.get_json()["requestId"]) == (200, request_id)
    assert get(f"/api/status/{request_id}")["status"] == "pending"


def test_an_upload_is_accepted_while_redis_is_down(
    app: Flask, shop: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload is accepted although its job cannot be enqueued: the sweeper enqueues it later."""
    unreachable = redis_client().__class__.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setitem(app.extensions, "redis", unreachable)
    assert upload(csv_of(f"{shop.url}/chelsea.jpg")).status_code == 202
