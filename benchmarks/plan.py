"""Planning (reading a CSV, saving its products and images), compared with a bare `executemany` of the same rows."""

from __future__ import annotations

import io
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache, partial
from pathlib import Path

import flask_migrate

from benchmarks.measure import in_turns
from benchmarks.results import Table
from benchmarks.scan import LIMITS, file_of
from imgproc.app import create_app
from imgproc.core.config import UNSET_SETTINGS, load_settings
from imgproc.db.engine import db
from imgproc.db.transitions import requests, reservations
from imgproc.db.transitions.duplicates import url_hash
from imgproc.journey import plan
from imgproc.pipeline.table.read import Row, read_csv

PRODUCTS = """INSERT INTO products (id, request_id, row, line, serial_number, product_name, input_cell, status, attempt)
              VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', 0)"""
IMAGES = """INSERT INTO product_images (product_id, request_id, url_hash, position, source_url, status)
            VALUES (?, ?, ?, ?, ?, 'pending')"""


def measure(*, quick: bool = False) -> Table:
    """CPU seconds on SQLite; each run has a new database."""
    number = 2_000 if quick else 50_000
    rows: list[list[str | float]] = []
    for images in (1, 3):
        body = file_of(number, images)
        costs = in_turns({"bare": partial(_bare, body), "ours": partial(_ours, body)}, rounds=3)
        bare, ours = costs["bare"].cpu, costs["ours"].cpu
        rows.append([f"{number:,} rows, {images} URL(s) each", bare, ours, bare / ours, number / ours])
    columns = ["file", "executemany, CPU s", "plan, CPU s", "plan ÷ executemany, speed", "plan, rows/CPU s"]
    notes = ["Same tables and indexes, 500 rows a transaction; the plan also reads and validates the CSV again."]
    return Table("Planning on SQLite", columns, rows, notes)


@contextmanager
def _request() -> Iterator[tuple[str, Path]]:
    """A migrated database with one request; the request's id and the database file."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load_settings(UNSET_SETTINGS | {"DATA_DIR": folder}))
        with app.app_context():
            flask_migrate.upgrade()
            request_id = str(uuid.uuid4())
            reservations.reserve(id=request_id, filename="a.csv", input_key="a", options={}, fingerprint="0")
            reservations.accept(request_id, idempotency_key=None)
            yield request_id, Path(folder, "imgproc.db")
            db.engine.dispose()


def _ours(body: bytes) -> None:
    """The work of the job `plan` between the bucket and the queue."""
    with _request() as (request_id, _):
        save_products(request_id, body)


def save_products(request_id: str, body: bytes) -> None:
    """Claim the plan of an accepted request, and save the rows of its file."""
    requests.claim_plan(request_id, token="t", lease_seconds=600)
    for chunk in plan._chunks(read_csv(io.BytesIO(body), limits=LIMITS).rows):
        requests.add_products(request_id, [plan._planned(row) for row in chunk], token="t", lease_seconds=600)


def _bare(body: bytes) -> None:
    """The same rows, read beforehand and inserted by the driver alone."""
    with _request() as (request_id, file), closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        key = uuid.UUID(request_id).hex
        chunks, hashes = _read(body)
        for chunk in chunks:
            connection.executemany(
                PRODUCTS,
                [
                    (row.row, key, row.row, row.line, row.serial_number, row.product_name, row.input_cell)
                    for row in chunk
                ],
            )
            connection.executemany(
                IMAGES,
                [
                    (row.row, key, hashed, place, url)
                    for row in chunk
                    for place, (url, hashed) in enumerate(zip(row.urls, hashes[row.row], strict=True), 1)
                ],
            )
            connection.commit()


@lru_cache(maxsize=1)
def _read(body: bytes) -> tuple[list[list[Row]], dict[int, list[int]]]:
    """The rows in chunks, and the hashes of the URLs of each; read once, in the warm-up."""
    chunks = list(plan._chunks(read_csv(io.BytesIO(body), limits=LIMITS).rows))
    return chunks, {row.row: [url_hash(url) for url in row.urls] for chunk in chunks for row in chunk}
