"""An app without workers, and requests inserted straight into its tables as if workers had processed them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone

import flask_migrate
import sqlalchemy as sa
from flask import Flask

from imgproc.app import create_app
from imgproc.core.config import UNSET_SETTINGS, load_settings
from imgproc.db.engine import db, transaction
from imgproc.db.models import ProcessingRequest, Product
from imgproc.db.statuses import ProductStatus, RequestStatus

OPTIONS = {"quality": 50, "scale": 0.5, "format": "jpeg"}
LONG_AGO, FAR_FUTURE = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2020, 2999))


@contextmanager
def migrated_app(environ: Mapping[str, str]) -> Iterator[Flask]:
    """An app on a migrated database, with its context pushed; settings outside `environ` have their defaults."""
    given = {**UNSET_SETTINGS, "LOG_LEVEL": "ERROR", **environ}
    app = create_app(load_settings(given))
    with app.app_context():
        flask_migrate.upgrade()
        yield app
        db.engine.dispose()


def add_request(products: int, *, done: int, leased: int = 0, queued: int = 0) -> str:
    """Insert a request with so many products done, leased and queued, and the rest pending; return its id.

    The request has ended if all its products are done.
    """
    request_id, ended = str(uuid.uuid4()), done == products
    request = ProcessingRequest(
        id=request_id, status=RequestStatus.COMPLETED if ended else RequestStatus.PROCESSING, filename="a.csv",
        input_key="", options=OPTIONS, fingerprint="", rows_total=products, products_total=products,
        images_total=products, products_completed=done, images_completed=done,
        started_at=LONG_AGO, planned_at=LONG_AGO, finished_at=LONG_AGO if ended else None,
    )  # fmt: skip
    db.session.add(request)
    db.session.commit()
    statuses = [ProductStatus.COMPLETED] * done + [ProductStatus.PROCESSING] * leased + [ProductStatus.QUEUED] * queued
    statuses += [ProductStatus.PENDING] * (products - len(statuses))
    rows = [
        {
            "request_id": request_id, "row": row, "line": row + 1, "serial_number": str(row), "product_name": "SKU",
            "input_cell": "http://shop.example/1.jpg", "status": status,
            "queued_at": LONG_AGO if status is ProductStatus.QUEUED else None,
            "lease_until": FAR_FUTURE if status is ProductStatus.PROCESSING else None,
        }
        for row, status in enumerate(statuses, start=1)
    ]  # fmt: skip
    with transaction() as connection:
        connection.execute(sa.insert(Product), rows)
    return request_id
