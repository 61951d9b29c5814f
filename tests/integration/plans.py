"""Query plans: how a database finds the rows of each statement, read just before the statement runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event

from imgproc.db.engine import db

TABLES = "processing_requests", "products", "product_images", "webhook_deliveries", "delivery_attempts"
FINDS_ROWS = re.compile(r"\s*(SELECT|UPDATE|DELETE|WITH)\b")
SQLITE_FAULT = re.compile(rf"SCAN ({'|'.join(TABLES)})\b|USE TEMP B-TREE")


@dataclass
class Plans:
    """The statements of a block, and the plans of those that scan a table or read too many rows."""

    most_rows: int
    statements: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)

    def report(self) -> str:
        """Every faulty statement with its plan."""
        return "\n\n".join(f"{statement}\n{plan}" for statement, plan in self.faults.items())

    def note(self, connection: Connection, statement: str, parameters: Any) -> None:
        """Read the plan, with the parameters of the statement."""
        # PostgreSQL gets a batch as one text without parameters, with the commit at its end.
        statements = [each for each in statement.split(";\n") if FINDS_ROWS.match(each)]
        self.statements += statements
        cursor = connection.connection.cursor()
        faults_of = self._sqlite if connection.dialect.name == "sqlite" else self._postgresql
        self.faults.update(faults_of(cursor, statements, parameters or None))

    def _sqlite(self, cursor: Any, statements: list[str], parameters: Any) -> dict[str, str]:
        faults = {}
        for statement in statements:
            lines = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters or ()).fetchall()
            plan = "\n".join(line[-1] for line in lines)
            if SQLITE_FAULT.search(plan):
                faults[statement] = plan
        return faults

    def _postgresql(self, cursor: Any, statements: list[str], parameters: Any) -> dict[str, str]:
        """PostgreSQL runs the statements, counts the rows that each step reads, and rolls back."""
        faults = {}
        alone = cursor.connection.autocommit
        cursor.execute("BEGIN" if alone else "SAVEPOINT plan")
        for statement in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            ((answer,),) = cursor.fetchall()
            nodes = list(_nodes(answer[0]["Plan"]))
            scans = any(node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES for node in nodes)
            if scans or max(map(_rows, nodes)) > self.most_rows:
                faults[statement] = _drawn(answer[0]["Plan"])
        cursor.execute("ROLLBACK" if alone else "ROLLBACK TO SAVEPOINT plan")
        return faults


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _drawn(node: dict[str, Any], depth: int = 0) -> str:
    """The plan as text: one step a line, with the facts that matter most."""
    facts = [str(node.get(name, "")) for name in ("Node Type", "Relation Name", "Index Name", "Index Cond", "Filter")]
    line = f"{'  ' * depth}{' '.join(filter(None, facts))}: {_rows(node):.0f} rows"
    return "\n".join([line, *(_drawn(child, depth + 1) for child in node.get("Plans", ()))])


def _rows(node: dict[str, Any]) -> float:
    """How many rows a step reads, including those it filters out."""
    removed = sum(number for name, number in node.items() if name.startswith("Rows Removed"))
    rows: float = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return rows


@contextmanager
def plans_of_statements(*, most_rows: int) -> Iterator[Plans]:
    """Watch every statement of the app; one that reads more than `most_rows` rows is faulty."""
    plans = Plans(most_rows)

    def note(connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        plans.note(connection, statement, parameters[0] if many else parameters)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
