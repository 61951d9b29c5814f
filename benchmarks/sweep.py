"""How long one pass of the sweeper takes with a million products in the table, on PostgreSQL and on SQLite.

`python -m benchmarks.sweep [--products 1000000]` prints the median and the slowest of 50 passes, and the same with
nothing in the table, side by side.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import flask_migrate
import sqlalchemy as sa
from flask import Flask

from imgproc import create_app, dispatch, removal, sweeper
from imgproc.config import load_settings
from imgproc.extensions import db, transaction
from imgproc.models import ProcessingRequest, Product, ProductStatus, RequestStatus
from tests.integration.services import postgresql, valkey

PASSES = 50
REQUEST_SIZE = 10_000  # products of each request
WINDOW = 64
LONG_AGO, FAR_AWAY = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2020, 2999))


@contextmanager
def house(url: str | None, redis_url: str, folder: Path) -> Iterator[Flask]:
    """An app on an empty, migrated database."""
    environ = {"DATA_DIR": str(folder), "REDIS_URL": redis_url, "S3_ENDPOINT_URL": "http://127.0.0.1:1"}
    app = create_app(load_settings(environ | ({"DATABASE_URL": url} if url else {}) | {"LOG_LEVEL": "ERROR"}))
    with app.app_context():
        flask_migrate.upgrade()
        yield app
        db.engine.dispose()


def fill(products: int) -> None:
    """Half of the requests have ended, half are under way, all their rings wait in Redis."""
    for number in range(products // REQUEST_SIZE):
        _add_request(ended=number % 2 == 0)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    ids = sa.text("SELECT id FROM products WHERE status = 'queued'")
    with db.engine.connect() as connection:
        dispatch.ring_products(connection.execute(ids).scalars())


def _add_request(*, ended: bool) -> None:
    """One that has ended; or one with 100 products done, a window in flight (half of it leased), the rest waiting."""
    request_id, done = str(uuid.uuid4()), REQUEST_SIZE if ended else 100
    request = ProcessingRequest(
        id=request_id, status=RequestStatus.COMPLETED if ended else RequestStatus.PROCESSING, filename="a.csv",
        input_key="", options={}, fingerprint="", rows_total=REQUEST_SIZE, products_total=REQUEST_SIZE,
        images_total=REQUEST_SIZE, products_completed=done, images_completed=done,
        planned_at=LONG_AGO, finished_at=LONG_AGO if ended else None,
    )  # fmt: skip
    db.session.add(request)
    db.session.commit()
    in_flight = [ProductStatus.PROCESSING] * (WINDOW // 2) + [ProductStatus.QUEUED] * (WINDOW // 2)
    statuses = [ProductStatus.COMPLETED] * done + ([] if ended else in_flight)
    statuses += [ProductStatus.PENDING] * (REQUEST_SIZE - len(statuses))
    rows = [
        {
            "request_id": request_id, "row": row, "line": row + 1, "serial_number": str(row), "product_name": "SKU",
            "input_cell": "http://shop.example/1.jpg", "status": status,
            "queued_at": LONG_AGO if status is ProductStatus.QUEUED else None,
            "lease_until": FAR_AWAY if status is ProductStatus.PROCESSING else None,
        }
        for row, status in enumerate(statuses, start=1)
    ]  # fmt: skip
    with transaction() as connection:
        connection.execute(sa.insert(Product), rows)


def passes(one_pass: Callable[[], None]) -> list[float]:
    """Milliseconds of each pass."""
    took = []
    for _ in range(PASSES):
        started = time.perf_counter()
        one_pass()
        took.append((time.perf_counter() - started) * 1000)
    return took


def measure(name: str, url: str | None, products: int) -> None:
    """Print one line for each size."""
    folder = Path(tempfile.mkdtemp(prefix="sweep-"))
    (folder / "valkey").mkdir()
    with valkey(folder / "valkey") as redis_url, house(url, redis_url, folder):
        for size in (0, products):
            fill(size)
            sweeper.sweep()
            time.sleep(sweeper.UNHEARD_SECONDS)  # so that every ring is old enough to be looked for
            for label, one_pass in (("repairs", sweeper.sweep), ("removals", removal.remove_due)):
                took = passes(one_pass)
                print(
                    f"{name:11} {size:>9,} products  {label:9} median {statistics.median(took):6.1f} ms"
                    f"  slowest {max(took):6.1f} ms",
                    flush=True,
                )


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000)
    products = parser.parse_args().products
    with postgresql() as url:
        measure("PostgreSQL", url, products)
    measure("SQLite", None, products)


if __name__ == "__main__":
    main()
