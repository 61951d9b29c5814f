"""Sends several statements to PostgreSQL in one message, with the COMMIT.

PostgreSQL runs the whole message even if this host is cut off, so no lock waits for a client that is gone. One round
trip also costs less than several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

Rows = list[dict[str, Any]]


class Batch:
    """Statements that run one after the other; each returns rows.

    Values are bound by name. A name must not be that of a column that a statement sets.
    """

    def __init__(self, *statements: Any) -> None:
        self._statements = statements
        self._names = [set(statement.compile().binds) for statement in statements]
        self._prepared: dict[sa.Dialect, list[_Prepared]] = {}

    def run(self, connection: Connection, values: dict[str, Any]) -> list[Rows]:
        """Run the statements and return the rows of each. PostgreSQL commits at the end.

        Raises:
            sqlalchemy.exc.DBAPIError: a statement failed; nothing was changed.
        """
        if connection.dialect.name == "postgresql":
            return self._send(connection, values)
        found = []
        for statement, names in zip(self._statements, self._names, strict=True):
            rows = connection.execute(statement, {name: values[name] for name in names & values.keys()})
            found.append([dict(row) for row in rows.mappings()])
        return found

    def _send(self, connection: Connection, values: dict[str, Any]) -> list[Rows]:
        """Send all statements in one message, with the values as literals, and return the rows of each.

        Only PostgreSQL's simple protocol takes several statements, and it has no parameters.
        """
        from psycopg import ClientCursor  # noqa: PLC0415 - 5 MB that a process on SQLite does not need

        parts = self._parts(connection.dialect)
        driver: Any = connection.connection.driver_connection
        quoting = ClientCursor(driver)
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
        """Compile each statement once: compiling takes longer than running."""
        if dialect not in self._prepared:
            self._prepared[dialect] = [_Prepared(statement, dialect) for statement in self._statements]
        return self._prepared[dialect]


class _Prepared:
    """A statement compiled for PostgreSQL, with the converters of its values and columns."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        self._compiled = statement.compile(dialect=dialect)
        columns: Sequence[sa.ColumnElement[Any]] = statement.exported_columns
        self._columns = {
            str(column.key): column.type.dialect_impl(dialect).result_processor(dialect, None) or _unchanged
            for column in columns
        }
        self._values = {
            name: value.type.dialect_impl(dialect).bind_processor(dialect) or _unchanged
            for name, value in self._compiled.binds.items()
        }

    def bind(self, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The SQL with its placeholders, and the values for them."""
        state = self._compiled.construct_expanded_state(values)
        return state.statement, {
            name: self._values.get(name, _unchanged)(value) for name, value in state.parameters.items()
        }

    def read(self, rows: list[tuple[Any, ...]]) -> Rows:
        """The rows as dictionaries, converted to Python values."""
        return [
            {name: read(value) for (name, read), value in zip(self._columns.items(), row, strict=True)} for row in rows
        ]


def _unchanged(value: Any) -> Any:
    return value
