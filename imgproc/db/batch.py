"""Sends several statements in one message, which PostgreSQL runs and commits even if this host is cut off meanwhile.

So no lock waits for a client that is gone, and one round trip costs less than several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection

Rows = list[dict[str, Any]]


class Batch:
    """Statements that run one after the other, each of which returns rows.

    Values are bound by name; no name may be that of a column that a statement sets.
    """

    def __init__(self, *statements: Any) -> None:
        self._statements = statements
        self._names = [set(statement.compile().binds) for statement in statements]
        self._prepared: dict[sa.Dialect, list[_Prepared]] = {}

    def run(self, connection: Connection, values: dict[str, Any]) -> list[Rows]:
        """The rows of each statement; each sees what those before it have changed. PostgreSQL commits at the end.

        Raises:
            sqlalchemy.exc.DBAPIError: a statement failed, and none has changed anything.
        """
        if connection.dialect.name == "postgresql":
            return self._send(connection, values)
        found = []
        for statement, names in zip(self._statements, self._names, strict=True):
            rows = connection.execute(statement, {name: values[name] for name in names & values.keys()})
            found.append([dict(row) for row in rows.mappings()])
        return found

    def _send(self, connection: Connection, values: dict[str, Any]) -> list[Rows]:
        """Only the simple protocol takes several statements; it knows no parameters, so the driver writes literals."""
        parts = self._parts(connection.dialect)
        driver: Any = connection.connection.driver_connection
        quoting = psycopg.ClientCursor(driver)
        texts = [quoting.mogrify(*part.bind(values)) for part in parts]
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            texts.append("COMMIT")
        result = connection.exec_driver_sql(";\n".join(texts), execution_options={"no_parameters": True})
        cursor: Any = result.cursor
        found = []
        for part in parts:
            found.append(part.read(cursor.fetchall()))
            cursor.nextset()
        result.close()
        return found

    def _parts(self, dialect: sa.Dialect) -> list[_Prepared]:
        """Made once: to build a statement takes longer than to run it."""
        if dialect not in self._prepared:
            self._prepared[dialect] = [_Prepared(statement, dialect) for statement in self._statements]
        return self._prepared[dialect]


class _Prepared:
    """A statement as PostgreSQL reads it: how its values are written, and how its columns are read."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        self._compiled = statement.compile(dialect=dialect)
        columns: Sequence[sa.ColumnElement[Any]] = statement.exported_columns
        self._columns = {
            str(column.key): column.type.dialect_impl(dialect).result_processor(dialect, None) or _as_it_is
            for column in columns
        }
        self._values = {
            name: value.type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is
            for name, value in self._compiled.binds.items()
        }

    def bind(self, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The text with its placeholders, and what to put there."""
        state = self._compiled.construct_expanded_state(values)
        return state.statement, {
            name: self._values.get(name, _as_it_is)(value) for name, value in state.parameters.items()
        }

    def read(self, rows: list[tuple[Any, ...]]) -> Rows:
        """The rows, by the names of their columns."""
        return [
            {name: read(value) for (name, read), value in zip(self._columns.items(), row, strict=True)} for row in rows
        ]


def _as_it_is(value: Any) -> Any:
    return value
