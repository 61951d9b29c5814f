"""SQLite has one writer at a time and no queue for it: long work leaves the lock to others, and waiters look often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError

from imgproc.app import create_app
from imgproc.core.config import UNSET_SETTINGS, load_settings
from imgproc.db import engine
from imgproc.db.engine import SQLITE_BUSY_MS, db, sharing_write_lock, single_statement


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A migrated SQLite database; its file."""
    app: Flask = create_app(load_settings(UNSET_SETTINGS | {"DATA_DIR": str(tmp_path)}))
    with app.app_context():
        flask_migrate.upgrade()
        yield tmp_path / "imgproc.db"
        db.engine.dispose()


def test_a_waiting_writer_looks_often(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would miss the few milliseconds for which a plan releases the lock."""
    looks: list[float] = []
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")

        def look(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) == 20:
                holder.execute("COMMIT")

        monkeypatch.setattr(engine.time, "sleep", look)
        with single_statement() as connection:
            connection.execute(sa.text("UPDATE api_keys SET name = ''"))
            waits = connection.execute(sa.text("PRAGMA busy_timeout")).scalar()
    assert len(looks) == 20
    assert max(looks) < 0.01
    assert waits == SQLITE_BUSY_MS, "other statements wait as SQLite does"


def test_a_writer_does_not_wait_for_ever(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with SQLAlchemy's exception, which counts as an outage."""
    monkeypatch.setattr(engine, "SQLITE_BUSY_MS", 0)
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"), single_statement():
            pass


def test_long_work_leaves_the_lock_to_others(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves the lock free for as long as it held it, at most a second."""
    assert database.exists()
    pauses: list[float] = []
    clock = iter([100.0, 100.3, 200.0, 260.0])
    monkeypatch.setattr(engine.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(engine.time, "sleep", pauses.append)
    for _ in range(2):
        with sharing_write_lock():
            pass
    assert pauses == [pytest.approx(0.3), engine.LONGEST_PAUSE]
