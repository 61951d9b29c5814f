"""The migrations create exactly the tables the models describe, on both databases, and drop them again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.db.engine import Base, db


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An app on a database without tables."""
    environ = {**request.getfixturevalue("environ"), "DATA_DIR": str(tmp_path)}
    if request.param == "postgresql":
        server = sa.create_engine(request.getfixturevalue("postgresql_url"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS migrations WITH (FORCE)")
            connection.exec_driver_sql("CREATE DATABASE migrations")
        server.dispose()
        environ["DATABASE_URL"] = request.getfixturevalue("postgresql_url").replace("/postgres?", "/migrations?")
    app = create_app(load_settings(environ))
    with app.app_context():
        yield app
        db.engine.dispose()


def tables() -> set[str]:
    """The tables of the database, except Alembic's own."""
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_the_migrations_match_the_models(empty_app: Flask) -> None:
    """`db check` finds no difference."""
    flask_migrate.upgrade()
    flask_migrate.check()
    assert tables() == set(Base.metadata.tables)


def test_the_migrations_can_be_reverted_and_applied_again(empty_app: Flask) -> None:
    """They upgrade again after a downgrade to no tables; a second upgrade in a row changes nothing."""
    for _ in range(2):
        flask_migrate.upgrade()
        flask_migrate.upgrade()
        assert tables() == set(Base.metadata.tables)
        flask_migrate.downgrade(revision="base")
        assert tables() == set()


def test_flask_has_the_commands_of_flask_migrate(empty_app: Flask) -> None:
    """They are loaded when they are used."""
    run = empty_app.test_cli_runner().invoke
    assert run(args=["db", "upgrade"]).exit_code == 0
    assert "products" in tables()
    assert "No such command 'nothing'" in run(args=["db", "nothing"]).output
    assert "Perform database migrations." in run(args=["--help"]).output
