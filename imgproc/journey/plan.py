"""Saves the rows of an uploaded file as products, a chunk at a time, and enqueues the first of them meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice

from imgproc.db.engine import sharing_write_lock
from imgproc.db.transitions import requests
from imgproc.db.transitions.requests import PlanClaim, PlannedRow
from imgproc.db.transitions.window import release
from imgproc.journey import turns
from imgproc.journey.file_options import from_json
from imgproc.journey.lease import Lease, check_stopping
from imgproc.journey.services import Services
from imgproc.pipeline.table.products import merge
from imgproc.pipeline.table.read import Row, read_csv

PLAN_CHUNK = 500  # products saved in one transaction


def save_products(services: Services, request_id: str, claim: PlanClaim, lease: Lease, *, token: str) -> None:
    """Read the stored file again, and save the rows that no earlier plan has saved.

    Raises:
        LeaseLost: another worker plans the request now.
        InfrastructureError: a server is away, or this worker must stop.
        ImgprocError: the file is gone or no longer valid.
    """
    settings = services.settings
    with services.store.open_input(claim.input_key) as stream:
        options = from_json(claim.file_options).read
        products = merge(read_csv(stream, limits=services.csv_limits, options=options).rows)
        for chunk in _chunks(product for product in products if product.row > claim.last_row):
            lease.check()
            check_stopping()
            planned = [_planned(row) for row in chunk]
            # A chunk that is not full is the last one, so the lock is free anyway.
            with sharing_write_lock() if len(chunk) == PLAN_CHUNK else nullcontext():
                requests.add_products(request_id, planned, token=token, lease_seconds=settings.lease_seconds)
                turns.enqueue_products(release(request_id, window=settings.dispatch_window))


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while chunk := list(islice(rows, PLAN_CHUNK)):
        yield chunk


def _planned(row: Row) -> PlannedRow:
    error = row.errors[0] if row.errors else None
    return PlannedRow(
        *(row.row, row.line, row.serial_number, row.product_name, row.input_cell, row.urls),
        error_code=error.code if error else None,
        error_detail=" ".join(fault.detail for fault in row.errors) if error else None,
    )
