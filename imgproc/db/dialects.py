"""What SQLite and PostgreSQL say in different words: a time, the time now, an id, and who is next."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime on every database; SQLite, which has none, keeps the text of the UTC time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Store UTC."""
        if value is None:
            return None
        value = value.astimezone(timezone.utc)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        """Return aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class db_now(sa.sql.functions.GenericFunction[datetime]):  # noqa: N801 - it reads as the SQL function it is
    """The database's own clock, `seconds` from now: hosts disagree about the time, the database does not."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | sa.ColumnElement[Any] = 0) -> None:
        super().__init__(seconds if isinstance(seconds, sa.ColumnElement) else sa.literal(float(seconds)))


@compiles(db_now, "postgresql")
def _postgresql_now(element: db_now, compiler: Any, **kw: Any) -> str:
    """`clock_timestamp`, not `now()`: the latter stands still for the length of a transaction."""
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: Any, **kw: Any) -> str:
    """SQLAlchemy reads six digits of a second; strftime writes three."""
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {compiler.process(element.clauses, **kw)} || ' seconds') || '000')"


class in_turn(sa.sql.functions.GenericFunction[str]):  # noqa: N801 - it reads as the SQL function it is
    """Lets one transaction after another pass that names the same value: each goes on when the one before has ended."""

    type = sa.Text()
    inherit_cache = True


@compiles(in_turn, "postgresql")
def _postgresql_in_turn(element: in_turn, compiler: Any, **kw: Any) -> str:
    """Two values may have the same hash of 64 bits, and then wait for each other's, too."""
    value = compiler.process(element.clauses, **kw)
    return f"CAST(pg_advisory_xact_lock(hashtextextended(CAST({value} AS TEXT), 0)) AS TEXT)"


@compiles(in_turn, "sqlite")
def _sqlite_in_turn(_element: in_turn, _compiler: Any, **_kw: Any) -> str:
    """There is one writer at a time."""
    return "''"


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
