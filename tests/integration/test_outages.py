"""What callers see while the database or Redis is away."""

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


def hang_up(app: Flask) -> None:
    """PostgreSQL ends every session but this one, as a restart does."""
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    engine = sa.create_engine(app.config["SQLALCHEMY_DATABASE_URI"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(others))


@pytest.mark.parametrize("app", ["postgresql"], indirect=True)
def test_an_answer_is_not_lost_because_the_database_went_away_after_it(
    app: Flask, shop: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session of the request is given up quietly, and the next one connects anew."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    progress_of = reads.progress_of

    def then_hang_up(*arguments: Any) -> Any:
        hang_up(app)
        return progress_of(*arguments)

    db.session.remove()
    with monkeypatch.context() as patched:
        patched.setattr(reads, "progress_of", then_hang_up)
        patched.setattr("imgproc.api.status._latest_delivery", lambda _request_id: None)
        with app.app_context():
            response = app.test_client().get(f"/api/status/{request_id}")
    assert (response.status_code, response.get_json()["requestId"]) == (200, request_id)
    assert get(f"/api/status/{request_id}")["status"] == "pending"


def test_an_upload_is_accepted_while_redis_is_away(
    app: Flask, shop: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost ring is no reason to turn anybody away: the sweeper rings."""
    nobody = redis_client().__class__.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setitem(app.extensions, "redis", nobody)
    assert upload(csv_of(f"{shop.url}/chelsea.jpg")).status_code == 202
