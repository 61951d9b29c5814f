"""Planning: reading a CSV and saving its products and images, beside a bare `executemany` of the same rows."""

from __future__ import annotations

import io
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import flask_migrate

from benchmarks.measure import in_turns
from benchmarks.results import Table
from benchmarks.scan import LIMITS, file_of
from imgproc import create_app, jobs
from imgproc.config import SettingsSchema, load_settings
from imgproc.extensions import db
from imgproc.lifecycle import requests
from imgproc.pipeline.read_csv import read_csv

PRODUCTS = """INSERT INTO products (id, request_id, row, line, serial_number, product_name, input_cell, status, attempt)
              VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', 0)"""
IMAGES = "INSERT INTO product_images (product_id, position, source_url, status) VALUES (?, ?, ?, 'pending')"


def measure(*, quick: bool = False) -> Table:
    """CPU seconds on SQLite; a database of its own for each run."""
    number = 2_000 if quick else 50_000
    rows = []
    for images in (1, 3):
        body = file_of(number, images)
        costs = in_turns({"bare": lambda body=body: _bare(body), "ours": lambda body=body: _ours(body)}, rounds=3)
        bare, ours = costs["bare"].cpu, costs["ours"].cpu
        rows.append([f"{number:,} rows, {images} URL(s) each", bare, ours, bare / ours, number / ours])
    columns = ["file", "executemany, CPU s", "plan, CPU s", "plan ÷ executemany, speed", "plan, rows/CPU s"]
    notes = ["Same tables and indexes, 500 rows a transaction; the plan also reads and validates the CSV again."]
    return Table("Planning on SQLite", columns, rows, notes)


@contextmanager
def _request() -> Iterator[tuple[str, Path]]:
    """A migrated database with one request; its id and the database's file."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load_settings(dict.fromkeys(SettingsSchema().fields, "") | {"DATA_DIR": folder}))
        with app.app_context():
            flask_migrate.upgrade()
            request_id = str(uuid.uuid4())
            requests.reserve(id=request_id, filename="a.csv", input_key="a", options={}, fingerprint="0")
            requests.accept(request_id, idempotency_key=None)
            yield request_id, Path(folder, "imgproc.db")
            db.engine.dispose()


def _ours(body: bytes) -> None:
    """What the job `plan` does between the bucket and the queue."""
    with _request() as (request_id, _):
        requests.claim_plan(request_id, token="t", lease_seconds=600)
        rows = read_csv(io.BytesIO(body), limits=LIMITS).rows
        for chunk in jobs._chunks(rows):
            requests.add_products(request_id, [jobs._planned(row) for row in chunk], token="t", lease_seconds=600)


def _bare(body: bytes) -> None:
    """The same rows, read beforehand, by the driver alone."""
    with _request() as (request_id, file), closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        key = uuid.UUID(request_id).hex
        for chunk in _read(body):
            connection.executemany(
                PRODUCTS,
                [(r.row, key, r.row, r.line, r.serial_number, r.product_name, r.input_cell) for r in chunk],
            )
            connection.executemany(IMAGES, [(r.row, place, url) for r in chunk for place, url in enumerate(r.urls, 1)])
            connection.commit()


_read_before: dict[int, list[list[object]]] = {}


def _read(body: bytes) -> list[list[object]]:
    """The rows in chunks, read once, in the warm-up."""
    if id(body) not in _read_before:
        _read_before[id(body)] = list(jobs._chunks(read_csv(io.BytesIO(body), limits=LIMITS).rows))
    return _read_before[id(body)]
