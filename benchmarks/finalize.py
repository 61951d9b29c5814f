"""The output CSV of requests of several sizes: CPU for each row, and the memory beyond that of an idle process."""

from __future__ import annotations

import io
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from benchmarks.measure import in_own_process, say
from benchmarks.plan import save_products
from benchmarks.results import Table
from benchmarks.scan import file_of
from benchmarks.tables import OPTIONS, migrated_app
from imgproc.db.engine import transaction
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.statuses import ImageStatus, ProductStatus, RequestStatus
from imgproc.db.transitions import requests, reservations
from imgproc.journey.services import services
from tests.support.s3 import create_buckets, s3_server

SIZES = (1_000, 100_000, 1_000_000)
IMAGES = 3
CODE = """
import time
from benchmarks.measure import peak, reset_peak
from benchmarks.tables import migrated_app
from imgproc.db import reads
from imgproc.journey import output_files
from imgproc.journey.services import services
with migrated_app({environ!r}):
    for each in {requests!r}:
        request = reads.get_request(each)
        idle, started = reset_peak(), time.process_time()
        output_files.write_csvs(services(), request, lambda: None)
        print(time.process_time() - started, peak() - idle)
"""


def measure(*, quick: bool = False) -> Table:
    """CPU and memory of the finalization; the first run of each process, on a small request, does not count."""
    rows: list[list[str | float]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(s3_server(folder / "objects"))
        environ = {"DATA_DIR": str(folder / "data"), **server.environ}
        stack.enter_context(migrated_app(environ))
        create_buckets(services().store)
        warm_up = _ended_request(SIZES[0])
        for size in SIZES[:2] if quick else SIZES:
            say(f"  {size:,} rows")
            done = in_own_process(CODE.format(environ=environ, requests=[warm_up, _ended_request(size)]))
            cpu, memory = map(float, done.splitlines()[-1].split())
            rows.append([f"{size:,}", cpu, 1e6 * cpu / size, memory / 2**20])
    columns = ["rows", "CPU s", "CPU µs a row", "memory, MiB"]
    notes = [
        f"{IMAGES} images a row, SQLite. The memory is the peak above the process before, after one small request."
    ]
    return Table("Finalization", columns, rows, notes)


def _ended_request(rows: int) -> str:
    """Plan a request of so many rows as workers do, and end its images by two statements; its id."""
    request_id, body = str(uuid.uuid4()), file_of(rows, IMAGES)
    key = services().store.put_input(request_id, io.BytesIO(body))
    reservations.reserve(id=request_id, filename="a.csv", input_key=key, options=OPTIONS, fingerprint="0")
    reservations.accept(request_id, idempotency_key=None)
    save_products(request_id, body)
    requests.mark_planned(request_id, token="t")
    made = {
        "status": ImageStatus.COMPLETED,
        "output_key": sa.literal(f"{request_id}/") + sa.cast(ProductImage.id, sa.String) + "-sku.jpg",
    }
    with transaction() as connection:
        of_request = ProductImage.request_id == request_id
        connection.execute(sa.update(ProductImage).where(of_request).values(made))
        of_request = Product.request_id == request_id
        connection.execute(sa.update(Product).where(of_request).values(status=ProductStatus.COMPLETED))
        ended = {"status": RequestStatus.FINALIZING, "finalize_epoch": 1, "csv_token": "t"}
        connection.execute(sa.update(ProcessingRequest).where(ProcessingRequest.id == request_id).values(ended))
    return request_id
