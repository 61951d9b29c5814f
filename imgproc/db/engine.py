"""The database and its migrations, bound to the app in `init_app`. Nothing connects on import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.compiler import SQLCompiler

from imgproc.core.config import Settings
from imgproc.core.datadir import make_private, make_private_file
from imgproc.db import timeouts

# Beside this package where it is installed; in a checkout at the top level.
_INSTALLED, _CHECKOUT = Path(__file__).parents[1] / "migrations", Path(__file__).parents[2] / "migrations"
MIGRATIONS = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
SQLITE_BUSY_MS = 30_000
POOL_RECYCLE = 1800  # seconds until a connection is replaced; firewalls forget those they have not seen for long
# Every list is read in the order of an index, so a sort is never the better way. Where PostgreSQL has yet to look at a
# large upload it expects a row of it or two; then to read all of them and to sort what is left may seem no dearer, by
# the depth of an index, than to read a page from where the order begins.
POSTGRESQL_SETTINGS = {"enable_sort": "off"}


class Base(DeclarativeBase):
    """Base of the tables; constraints get names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Session(FlaskSession):
    """A session that can be closed, or begin again, although the database has gone away meanwhile.

    Otherwise the answer that is ready by then would be lost, and a server error take its place.
    """

    def close(self) -> None:
        """Give the connection back, or up."""
        try:
            super().close()
        except DBAPIError:
            self.invalidate()

    def rollback(self) -> None:
        """Undo what was done; the database has undone it itself where it ended the session meanwhile."""
        try:
            super().rollback()
        except DBAPIError:
            self.invalidate()


db = SQLAlchemy(model_class=Base, session_options={"class_": Session})
migrate = Migrate()


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the database to `app`; opens no connection."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    engine: dict[str, Any] = {"hide_parameters": True}  # else the values of a statement that fails are in the logs
    if not settings.database_url.startswith("sqlite"):
        engine |= {
            "pool_pre_ping": True,
            "pool_size": settings.web_threads,
            "pool_recycle": POOL_RECYCLE,
            "connect_args": timeouts.postgresql_arguments(),
        }
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine
    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _make_database_private(db.engine, settings.data_dir)
            _tune_sqlite(db.engine)
        else:
            timeouts.limit_sessions(db.engine, settings=POSTGRESQL_SETTINGS)


def _make_database_private(engine: Engine, data_dir: Path) -> None:
    """Only the owner may read DATA_DIR, and a database in it."""
    make_private(data_dir)
    file = Path(engine.url.database or "")
    if file.parent == data_dir:
        make_private_file(file)


@contextmanager
def transaction() -> Iterator[Connection]:
    """One write transaction; on SQLite it takes the write lock at once, so it waits its turn and never fails midway."""
    with db.engine.connect().execution_options(begin_immediate=True) as connection, connection.begin():
        yield connection


@contextmanager
def single_statement() -> Iterator[Connection]:
    """A write of one statement or batch, which PostgreSQL commits by itself, so no row stays locked while it waits."""
    if db.engine.dialect.name == "sqlite":
        with transaction() as connection:
            yield connection
    else:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection


def insert_many(connection: Connection, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of the same columns, their values as the driver takes them (no enums), by its own `executemany`.

    SQLAlchemy's looks at every value of every row, which takes longer than the database does.
    """
    if rows:
        insert = _insert(table, connection.dialect, tuple(rows[0]))
        places = insert.positiontup  # where the driver counts its parameters; elsewhere it knows them by name
        parameters: Any = [*map(itemgetter(*places), rows)] if places else rows
        connection.exec_driver_sql(insert.string, parameters)


@lru_cache(maxsize=16)
def _insert(table: type[Base], dialect: sa.Dialect, columns: Sequence[str]) -> SQLCompiler:
    return sa.insert(table).compile(dialect=dialect, column_keys=list(columns))


def _tune_sqlite(engine: Engine) -> None:
    """WAL lets readers and the writer work side by side; NORMAL is durable across a crash of ours."""

    @event.listens_for(engine, "connect")
    def configure(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={SQLITE_BUSY_MS}", "foreign_keys=ON"):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("begin_immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
