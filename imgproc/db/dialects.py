"""SQL that SQLite and PostgreSQL spell differently: times, the current time, ids and advisory locks."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime on every database. SQLite has no such type and stores the UTC time as text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Convert an aware datetime to UTC."""
        if value is None:
            return None
        value = value.astimezone(timezone.utc)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        """Convert what is stored to an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class db_now(sa.sql.functions.GenericFunction[datetime]):  # noqa: N801 - it reads as the SQL function it is
    """The database's time, `seconds` from now. The clocks of hosts differ; the database has one clock."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | sa.ColumnElement[Any] = 0) -> None:
        super().__init__(seconds if isinstance(seconds, sa.ColumnElement) else sa.literal(float(seconds)))


@compiles(db_now, "postgresql")
def _postgresql_now(element: db_now, compiler: Any, **kw: Any) -> str:
    """Use `clock_timestamp`: `now()` returns the start of the transaction."""
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: Any, **kw: Any) -> str:
    """Pad the three digits of strftime to the six that SQLAlchemy reads."""
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {compiler.process(element.clauses, **kw)} || ' seconds') || '000')"


class advisory_lock(sa.sql.functions.GenericFunction[str]):  # noqa: N801 - it reads as the SQL function it is
    """Holds a lock on a value until the transaction ends, so that transactions naming the same value run in turn."""

    type = sa.Text()
    inherit_cache = True


@compiles(advisory_lock, "postgresql")
def _postgresql_lock(element: advisory_lock, compiler: Any, **kw: Any) -> str:
    """Lock a 64-bit hash of the value. Two values with the same hash also wait for each other, which is harmless."""
    value = compiler.process(element.clauses, **kw)
    return f"CAST(pg_advisory_xact_lock(hashtextextended(CAST({value} AS TEXT), 0)) AS TEXT)"


@compiles(advisory_lock, "sqlite")
def _sqlite_lock(_element: advisory_lock, _compiler: Any, **_kw: Any) -> str:
    """No-op: SQLite has one writer at a time."""
    return "''"


class url_host(sa.sql.functions.GenericFunction[str]):  # noqa: N801 - it reads as the SQL function it is
    """What stands between `://` and the next slash of a URL."""

    type = sa.Text()
    inherit_cache = True


@compiles(url_host, "postgresql")
def _postgresql_host(element: url_host, compiler: Any, **kw: Any) -> str:
    """Split at the slashes."""
    return f"split_part({compiler.process(element.clauses, **kw)}, '/', 3)"


@compiles(url_host, "sqlite")
def _sqlite_host(element: url_host, compiler: Any, **kw: Any) -> str:
    """Cut before and after. SQLite has no function that splits."""
    url = compiler.process(element.clauses, **kw)
    rest = f"substr({url}, instr({url}, '://') + 3)"
    return f"substr({rest}, 1, instr({rest} || '/', '/') - 1)"


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
