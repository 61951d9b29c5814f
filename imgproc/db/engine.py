"""The database engine, sessions and migrations. `init_app` binds them to the app; nothing connects on import."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.compiler import SQLCompiler

from imgproc.core.config import Settings
from imgproc.core.datadir import make_private, make_private_file
from imgproc.db import migrations, timeouts

SQLITE_BUSY_MS = 30_000
LONGEST_PAUSE = 1.0  # seconds for which long work leaves the write lock to others
FIRST_LOOK, LAST_LOOK = 0.0005, 0.005  # seconds until a look whether the write lock is free; the pauses grow by half
CONNECTION_PATIENCE = 600.0  # seconds that a thread of a worker waits for one of its process
POOL_RECYCLE = 1800  # seconds until a connection is replaced; firewalls drop connections that are idle for long
# Every list is read in the order of an index, so a sort is never the better plan. PostgreSQL may choose one for
# a new large upload, of which it expects one or two rows until it has analyzed the table.
POSTGRESQL_SETTINGS = {"enable_sort": "off"}


class Base(DeclarativeBase):
    """Base of the tables. Constraints get names, so that migrations can refer to them."""

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
    """A session that can be closed or rolled back after the database has gone away.

    Without this a response that is ready by then would be replaced by a server error.
    """

    def close(self) -> None:
        """Return the connection to the pool, or drop it."""
        try:
            super().close()
        except DBAPIError:
            self.invalidate()

    def rollback(self) -> None:
        """Roll back. If the database has ended the session, it has rolled back already."""
        try:
            super().rollback()
        except DBAPIError:
            self.invalidate()


db = SQLAlchemy(model_class=Base, session_options={"class_": Session})


def init_app(app: Flask, settings: Settings, *, connections: int | None = None) -> None:
    """Bind the database to `app`; opens no connection. A thread waits while its process has `connections` in use."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    engine: dict[str, Any] = {"hide_parameters": True}  # keeps the values of failed statements out of the logs
    if not settings.database_url.startswith("sqlite"):
        engine |= {
            "pool_pre_ping": True,
            "pool_size": settings.web_threads,
            "pool_recycle": POOL_RECYCLE,
            "connect_args": timeouts.postgresql_arguments(),
        }
        if settings.database_pooling == "transaction":  # the next transaction may be in another session
            engine["connect_args"] |= {"prepare_threshold": None}
    if connections:
        engine |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": CONNECTION_PATIENCE}
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine
    db.init_app(app)
    migrations.init_app(app, db)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _make_database_private(db.engine, settings.data_dir)
            _tune_sqlite(db.engine)
        else:
            timeouts.limit_transactions(db.engine)
            if settings.database_pooling == "session":
                timeouts.limit_sessions(db.engine, settings=POSTGRESQL_SETTINGS)


def _make_database_private(engine: Engine, data_dir: Path) -> None:
    """Let only the owner read DATA_DIR, and the database in it."""
    make_private(data_dir)
    file = Path(engine.url.database or "")
    if file.parent == data_dir:
        make_private_file(file)


@contextmanager
def transaction() -> Iterator[Connection]:
    """Open a write transaction. On SQLite it takes the write lock at once, so it may wait but never fails midway."""
    with db.engine.connect().execution_options(begin_immediate=True) as connection, connection.begin():
        yield connection


@contextmanager
def single_statement() -> Iterator[Connection]:
    """Open a connection for one statement or batch. PostgreSQL commits it by itself, so no lock outlives it."""
    if db.engine.dialect.name == "sqlite":
        with transaction() as connection:
            yield connection
    else:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection


@contextmanager
def sharing_write_lock() -> Iterator[None]:
    """After the body, leave the write lock of SQLite to others for as long as the body took, at most a second.

    Long work in many transactions would otherwise hold it nearly all the time. PostgreSQL locks only rows.
    """
    started = time.monotonic()
    yield
    if db.engine.dialect.name == "sqlite":
        time.sleep(min(time.monotonic() - started, LONGEST_PAUSE))


def insert_many(
    connection: Connection, table: type[Base], columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows of values that the driver takes (no enums), by the driver's `executemany`.

    SQLAlchemy's own inspects every value of every row, which takes longer than the database does.
    """
    if rows:
        insert = _insert(table, connection.dialect, columns)
        positions = insert.positiontup  # for drivers with positional parameters; None for those with named ones
        parameters: Any = rows
        if positions is None:
            parameters = [dict(zip(columns, row, strict=True)) for row in rows]
        elif tuple(positions) != columns:
            parameters = list(map(itemgetter(*map(columns.index, positions)), rows))
        connection.exec_driver_sql(insert.string, parameters)


@lru_cache(maxsize=16)
def _insert(table: type[Base], dialect: sa.Dialect, columns: tuple[str, ...]) -> SQLCompiler:
    return sa.insert(table).compile(dialect=dialect, column_keys=list(columns))


def _tune_sqlite(engine: Engine) -> None:
    """Set WAL, so that readers and the writer work side by side, and NORMAL, which survives a crash of our process."""

    @event.listens_for(engine, "connect")
    def configure(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # `begin`, below, sends BEGIN
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={SQLITE_BUSY_MS}", "foreign_keys=ON"):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("begin_immediate", False):
            _begin_immediate(connection)
        else:
            connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock of SQLite, and look often whether it is free.

    It has no queue for it. SQLite's own wait grows to 100 ms between two looks, and misses the few milliseconds for
    which a plan releases the lock between two chunks: beside two plans, every tenth write waited for over a second.
    """
    driver: Any = connection.connection.driver_connection
    give_up, pause = time.monotonic() + SQLITE_BUSY_MS / 1000, FIRST_LOOK
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while not driver.in_transaction:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > give_up:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for SQLAlchemy's own exception
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
                pause = min(1.5 * pause, LAST_LOOK)
    finally:
        driver.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
