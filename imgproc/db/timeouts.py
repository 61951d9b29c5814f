"""Time limits of PostgreSQL connections: for a silent peer, a lock, a statement and an idle transaction.

A host that vanishes closes no connection. Without these limits its sessions would hold their locks for two hours, until
the kernel's keepalive gives up, and every other worker would wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError

from imgproc.core.keepalive import KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, UNACKNOWLEDGED

if TYPE_CHECKING:
    import psycopg

CONNECT = 5  # seconds

# A limit ended the session: idle_in_transaction_session_timeout or transaction_timeout. Drivers do not report these
# as operational errors (https://www.postgresql.org/docs/current/errcodes-appendix.html).
ENDED_BY_LIMIT = {"25P03", "25P04"}
WAITED_TOO_LONG = {"55P03", "57014", "40P01"}  # lock_timeout, statement_timeout, a deadlock
# The server answers, but no statement can write: no connection is left, its disk is full or fails, or it is a standby.
# psycopg does not report the last one (read_only_sql_transaction) as an operational error.
UNABLE = {"53000", "53100", "53300", "58030", "25006"}


@dataclass(frozen=True)
class Limits:
    """Seconds a transaction may wait for a lock, run a statement, and idle between two statements; 0 is no limit."""

    lock: int
    statement: int
    idle: int

    def settings(self) -> dict[str, str]:
        """The limits as PostgreSQL settings."""
        return {
            "lock_timeout": f"{self.lock}s",
            "statement_timeout": f"{self.statement}s",
            "idle_in_transaction_session_timeout": f"{self.idle}s",
        }


SHORT = Limits(lock=5, statement=15, idle=10)  # API calls; claims, leases and results of products
LONG = Limits(lock=5, statement=300, idle=60)  # plans, finalizations, removals, sweeps, actions on a whole request
MIGRATION = Limits(lock=30, statement=0, idle=0)  # building an index on a large table may take long

# Settings of the server's side of a session. Unknown ones are left out: client_connection_check_interval came with
# PostgreSQL 14, tcp_user_timeout with 12 and on Linux alone.
SESSION = {
    "tcp_keepalives_idle": str(KEEPALIVE_IDLE),
    "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL),
    "tcp_keepalives_count": str(KEEPALIVE_COUNT),
    "tcp_user_timeout": f"{UNACKNOWLEDGED}s",
    "client_connection_check_interval": f"{KEEPALIVE_IDLE}s",
    **SHORT.settings(),
}
_SET_KNOWN = (
    "SELECT set_config(given.name, given.setting, false) FROM unnest(%s::text[], %s::text[]) AS given (name, setting)"
    " WHERE given.name IN (SELECT name FROM pg_settings)"
)

_limits: ContextVar[Limits] = ContextVar("limits", default=SHORT)


@contextmanager
def allow(limits: Limits) -> Iterator[None]:
    """Give the transactions begun in the block, in this thread, these limits. Single statements keep SHORT."""
    before = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(before)


def postgresql_arguments() -> dict[str, Any]:
    """Parameters of libpq for our side of a connection."""
    return {
        "connect_timeout": CONNECT,
        "keepalives": 1,
        "keepalives_idle": KEEPALIVE_IDLE,
        "keepalives_interval": KEEPALIVE_INTERVAL,
        "keepalives_count": KEEPALIVE_COUNT,
        "tcp_user_timeout": UNACKNOWLEDGED * 1000,  # milliseconds
    }


def limit_sessions(engine: Engine, *, settings: dict[str, str]) -> None:
    """Set the limits and `settings` in every session that a PostgreSQL engine opens."""

    @event.listens_for(engine, "connect")
    def configure(connection: psycopg.Connection[Any], _record: Any) -> None:
        connection.autocommit = True  # otherwise a rollback would undo the settings
        _set(connection, SESSION | settings)
        connection.autocommit = False


def limit_role(connection: Connection, *, settings: dict[str, str]) -> None:
    """Make SHORT and `settings` the defaults of our role in new sessions, where a pooler shares sessions."""
    for name, value in (SHORT.settings() | settings).items():
        connection.exec_driver_sql(f"ALTER ROLE CURRENT_USER SET {name} = '{value}'")


def is_limited(connection: Connection) -> bool:
    """Whether the session behind the connection has the limits; a pooler may give it another one each time."""
    names = ", ".join(f"current_setting('{name}')" for name in SHORT.settings())
    found = connection.exec_driver_sql(f"SELECT {names}").one()
    return list(found) == list(SHORT.settings().values())


def limit_transactions(engine: Engine) -> None:
    """Give transactions the limits of `allow`, and treat a session that a limit has ended as disconnected."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        limits = _limits.get()
        if limits is not SHORT and connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            local = (f"SET LOCAL {name} = '{value}'" for name, value in limits.settings().items())
            connection.exec_driver_sql("; ".join(local))

    @event.listens_for(engine, "handle_error")
    def notice_end(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) in ENDED_BY_LIMIT:
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False  # the other connections are alive


def _set(connection: psycopg.Connection[Any], settings: dict[str, str]) -> None:
    """Set those settings that the server knows. One that it refuses keeps its value; the server logs the refusal."""
    from psycopg import Error  # noqa: PLC0415 - 5 MB that a process on SQLite does not need

    try:
        connection.execute(_SET_KNOWN, (list(settings), list(settings.values())))
    except Error:
        if connection.closed:
            raise
        if len(settings) > 1:
            for name, value in settings.items():
                _set(connection, {name: value})


def is_wait(error: DBAPIError) -> bool:
    """True if the database answered, but a lock or a statement took too long, or a deadlock was found."""
    return getattr(error.orig, "sqlstate", None) in WAITED_TOO_LONG


def is_outage(error: DBAPIError) -> bool:
    """True if the database is away or busy, a limit included. False means that the statement itself is wrong."""
    if error.connection_invalidated or type(error).__name__ in {"OperationalError", "InterfaceError"}:
        return True
    return getattr(error.orig, "sqlstate", None) in ENDED_BY_LIMIT | UNABLE


def is_away(error: DBAPIError) -> bool:
    """True if the database carries out no statement at all, rather than failing this statement or this row.

    A server that sends a SQLSTATE (such as a lock that took too long) has answered, unless it ended the session or can
    write nothing.
    """
    state = getattr(error.orig, "sqlstate", None)
    return is_outage(error) and (not state or state in UNABLE or error.connection_invalidated)
