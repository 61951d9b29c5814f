"""How long a pass of the sweeper takes with a million products in the table, on PostgreSQL and on SQLite."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from benchmarks.measure import say
from benchmarks.results import Table
from benchmarks.tables import add_request, migrated_app
from imgproc.db.engine import db
from imgproc.journey import delete, turns
from imgproc.worker import sweeper
from tests.support.postgresql import postgresql
from tests.support.valkey_server import valkey

REQUEST_SIZE = 10_000  # products of each request
WINDOW = 64


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """Milliseconds of a pass with an empty table and with a full one."""
    products, passes = number or (20_000 if quick else 1_000_000), 10 if quick else 50
    rows: list[list[str | float]] = []
    for database in ("PostgreSQL", "SQLite"):
        say(f"  {database}")
        empty, full = _measured(database, products, passes)
        for what, before in empty.items():
            took = full[what]
            rows.append([f"{database}, {what}", median(before), median(took), max(took), median(took) / median(before)])
    columns = ["", "0 products, ms", f"{products:,} products, ms", "slowest of these, ms", "÷ 0 products"]
    notes = [
        f"Medians of {passes} passes. Requests of {REQUEST_SIZE:,} products: every other one has ended; of the rest 100"
        f" products are done and {WINDOW} leased or queued, and their jobs wait in Redis.",
    ]
    return Table("A pass of the sweeper", columns, rows, notes)


def _measured(database: str, products: int, passes: int) -> list[dict[str, list[float]]]:
    """Milliseconds of each pass by its kind: with empty tables, and with full ones."""
    with ExitStack() as servers:
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory()))
        environ = {"DATA_DIR": str(folder), "REDIS_URL": servers.enter_context(valkey(folder))}
        if database == "PostgreSQL":
            environ["DATABASE_URL"] = servers.enter_context(postgresql())
        servers.enter_context(migrated_app(environ))
        return [_timed(size, passes) for size in (0, products)]


def _timed(products: int, passes: int) -> dict[str, list[float]]:
    _fill(products)
    sweeper.sweep()
    time.sleep(sweeper.STALE_SECONDS)  # so that the sweeper looks for every queued job
    return {
        "repairs": [_milliseconds(sweeper.sweep) for _ in range(passes)],
        "removals": [_milliseconds(delete.remove_due) for _ in range(passes)],
    }


def _fill(products: int) -> None:
    for number in range(products // REQUEST_SIZE):
        if number % 2 == 0:
            add_request(REQUEST_SIZE, done=REQUEST_SIZE)
        else:
            add_request(REQUEST_SIZE, done=100, leased=WINDOW // 2, queued=WINDOW // 2)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    ids = sa.text("SELECT id FROM products WHERE status = 'queued'")
    with db.engine.connect() as connection:
        turns.enqueue_products(connection.execute(ids).scalars())


def _milliseconds(one_pass: Callable[[], None]) -> float:
    started = time.perf_counter()
    one_pass()
    return (time.perf_counter() - started) * 1000
