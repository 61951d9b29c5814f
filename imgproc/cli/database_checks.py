"""What `imgproc check` looks at in the database: its tables, what our role may do, room for connections, its clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from imgproc.cli.findings import Finding, note, ok, wrong
from imgproc.core.config import Settings
from imgproc.db import revisions
from imgproc.db.engine import Base, db
from imgproc.db.timeouts import is_limited
from imgproc.journey.outage import describe
from imgproc.worker.pool import most_connections

OLDEST = 14  # version of PostgreSQL that supports every time limit
CONNECTIONS_BESIDE_THREADS = 10  # of a web process or a sweeper, besides WEB_THREADS
FULL = 0.8  # share of the connections in use from which more are needed
APART = 60  # seconds; a worker counts as dead after 90, and receivers refuse webhooks of five minutes ago
# Connections that our role may open, and those that all clients have open.
ROOM = sa.text(
    "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
    " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
    " (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),"
    " (SELECT datconnlimit FROM pg_database WHERE datname = current_database())"
)
ROLE = sa.text(
    "SELECT current_setting('server_version_num')::int / 10000,"
    " pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',"
    " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), current_user, getdatabaseencoding()"
)
MAY_CHANGE = sa.text(
    "SELECT bool_and(coalesce(has_table_privilege(to_regclass(name), 'SELECT,INSERT,UPDATE,DELETE'), true))"
    " FROM unnest(CAST(:names AS text[])) AS given (name)"
)


def check(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with the database. One that is away is one finding."""
    place = _place(settings)
    try:
        found = [*_tables(settings, place)] or [*_server(settings, place)]
    except DBAPIError as error:
        text = f"{place} cannot be used ({describe(error)}): check that it runs, and DATABASE_URL."
        found = [wrong("database", text=text)]
    yield from found
    if not any(each.state == "wrong" for each in found):
        yield ok("database", text=f"{place} answers, and its tables are up to date ({revisions.newest()}).")


def _place(settings: Settings) -> str:
    url = sa.make_url(settings.database_url)
    return (
        f"SQLite {url.database}"
        if url.get_backend_name() == "sqlite"
        else f"PostgreSQL at {url.host or url.query.get('host')}"
    )


def _tables(settings: Settings, place: str) -> Iterator[Finding]:
    """What is wrong with the tables, or with the sessions of a pooler."""
    found = revisions.current()
    if found is None:
        yield wrong("database", text=f"{place} has no tables: run imgproc init.")
    elif found not in revisions.known():
        yield wrong("database", text=f"{place} has the tables of a newer version ({found}): update imgproc.")
    elif found != revisions.newest():
        yield wrong("database", text=f"{place} has the tables of an older version ({found}): run imgproc init.")
    elif settings.database_pooling == "transaction" and not _is_limited():
        remedy = "run imgproc init, then RECONNECT in PgBouncer's console"
        yield wrong("database", text=f"{place} does not limit the statements of our role: {remedy}.")


def _is_limited() -> bool:
    with db.engine.connect() as connection:
        return is_limited(connection)


def _server(settings: Settings, place: str) -> Iterator[Finding]:
    """What is wrong with PostgreSQL and our role there."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect() as connection:
            yield from _postgresql(connection, settings, place)


def _postgresql(connection: Connection, settings: Settings, place: str) -> Iterator[Finding]:
    version, read_only, is_superuser, role, encoding = connection.execute(ROLE).one()
    if version < OLDEST:
        text = f"{place} is of version {version}: some time limits need {OLDEST} or newer."
        yield note("database", text=text)
    if encoding != "UTF8":
        yield wrong("database", text=f"{place} stores text as {encoding}: create the database with ENCODING 'UTF8'.")
    if read_only:
        text = f"{place} is read-only, as a standby is: point DATABASE_URL at the primary server."
        yield wrong("database", text=text)
    if not connection.execute(MAY_CHANGE, {"names": [*Base.metadata.tables]}).scalar_one():
        text = f"The role {role} may not read and change every table: make it their owner, or grant it these rights."
        yield wrong("database", text=text)
    if is_superuser:
        text = f"The role {role} is a superuser, which imgproc does not need: give imgproc a role of its own."
        yield note("database", text=text)
    if settings.database_pooling == "session":
        yield from _connections(connection, settings)
    yield from clock(connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one(), of="the database")


def _connections(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Whether a pool of workers, a web process and a sweeper find a connection each time."""
    most, used, *limits = connection.execute(ROOM).one()
    most = min([most, *(limit for limit in limits if limit >= 0)])
    needed = most_connections(settings) + 2 * (settings.web_threads + CONNECTIONS_BESIDE_THREADS)
    remedy = "raise max_connections, lower WORKER_PROCESSES, or put PgBouncer in front"
    if needed > most:
        text = f"PostgreSQL gives our role {most} connections, and one pool beside one web process may take {needed}"
        yield wrong("database", text=f"{text}: {remedy}.")
    elif used > FULL * most:
        yield wrong("database", text=f"{used} of the {most} connections of PostgreSQL are in use: {remedy}.")


def clock(theirs: datetime, *, of: str) -> Iterator[Finding]:
    """Whether the clock of a server differs from ours."""
    apart = (datetime.now(timezone.utc) - theirs).total_seconds()
    if abs(apart) > APART:
        direction = "ahead of" if apart > 0 else "behind"
        text = f"The clock of this machine is {abs(apart):.0f} s {direction} that of {of}"
        yield wrong("clock", text=f"{text}: let NTP set both. Receivers and S3 refuse times that are minutes off.")
