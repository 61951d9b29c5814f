"""Drive the app from a test: upload files, run queued jobs, let time pass, read rows."""

from __future__ import annotations

import io
import signal
import traceback
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any, TypedDict, TypeVar, cast

import sqlalchemy as sa
from flask import Flask, current_app
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from imgproc.db.dialects import UtcDateTime
from imgproc.db.engine import Base, db, transaction
from imgproc.db.models import Product
from imgproc.db.statuses import ENDED
from imgproc.db.transitions import requests, reservations
from imgproc.db.transitions.requests import PlannedRow
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from imgproc.worker.preloaded_worker import PreloadedWorker


class Lease(TypedDict):
    """The keyword arguments of a claim."""

    token: str
    lease_seconds: int


OPTIONS = {"quality": 50, "scale": 0.5, "format": "jpeg"}
LEASE: Lease = {"token": "a" * 32, "lease_seconds": 30}
Result = TypeVar("Result")


def the_app() -> Flask:
    """The app of the current context, to pass to other threads."""
    return cast("Flask", cast("Any", current_app)._get_current_object())


def upload(csv: str | bytes, *, headers: dict[str, str] | None = None, **options: Any) -> Any:
    """Upload through the API; the response."""
    content = csv.encode() if isinstance(csv, str) else csv
    form = {"file": (io.BytesIO(content), "products.csv"), **options}
    return current_app.test_client().post("/api/upload", data=form, headers=headers)


def submit(csv: str, **options: Any) -> str:
    """Upload a file that is accepted; the request's id."""
    response = upload(csv, **options)
    assert response.status_code == 202, response.text
    request_id: str = response.json["requestId"]
    return request_id


def get(path: str) -> Any:
    """The JSON at a path of the API; the session is reset first, as for a separate caller."""
    db.session.rollback()
    response = current_app.test_client().get(path)
    assert response.status_code == 200, response.text
    return response.json


def post(path: str) -> Any:
    """Post to a path without a body; the response."""
    return current_app.test_client().post(path)


def status_of(request_id: str) -> dict[str, Any]:
    """The request's status."""
    status: dict[str, Any] = get(f"/api/status/{request_id}")
    return status


def products_of(request_id: str) -> list[dict[str, Any]]:
    """The request's products, up to 500."""
    products: list[dict[str, Any]] = get(f"/api/requests/{request_id}/products?limit=500")["items"]
    return products


def codes_of(request_id: str) -> list[list[str | None]]:
    """The error code of every image of every product; None for an image without an error."""
    return [[(image["error"] or {}).get("code") for image in each["images"]] for each in products_of(request_id)]


def work(*, most: int | None = None) -> None:
    """Run queued jobs as a worker does, until none is left or for `most` jobs. No job may raise."""
    failures = burst(most=most)
    assert not failures, "\n".join(failures)


class _Worker(PreloadedWorker):
    """A worker that records the exceptions of its jobs."""

    failures: list[str]

    def report_failure(self, job: Job, queue: Queue) -> None:
        self.failures.append(traceback.format_exc())


def burst(*, most: int | None = None) -> list[str]:
    """Run one worker on the queues, in this process; the tracebacks of its jobs."""
    _Worker.app = the_app()
    worker = _Worker(enqueue.QUEUES, connection=redis_client(), serializer=JSONSerializer)
    worker.failures = []
    ours = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        worker.work(burst=True, logging_level="CRITICAL", max_jobs=most)
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
    return worker.failures


def drain(request_id: str, *, rounds: int = 40) -> dict[str, Any]:
    """Work, sweep and let minutes pass until the request has ended; its status."""
    for _ in range(rounds):
        work()
        status = status_of(request_id)
        if status["status"] in {end.value for end in ENDED}:
            return status
        pass_time(60)
        sweeper.sweep()
    raise AssertionError(f"The request did not end: {status}")


def pass_time(seconds: float) -> None:
    """Move every stored time back. Only the database's clock counts, so this is the same as waiting."""
    with transaction() as connection:
        for table in Base.metadata.tables.values():
            columns = [column for column in table.columns if isinstance(column.type, UtcDateTime)]
            if columns:
                earlier = {column: _earlier(connection.dialect.name, column, seconds) for column in columns}
                connection.execute(sa.update(table).values(earlier))

    _age_host_limits(seconds)


def _age_host_limits(seconds: float) -> None:
    """Move the times of all host limits back, too: the fields that end in `_at`, and the ends of permits."""
    for key in redis_client().scan_iter("imgproc:host*"):
        if redis_client().type(key) == b"zset":
            for member, end in redis_client().zrange(key, 0, -1, withscores=True):
                redis_client().zadd(key, {member: end - seconds})
            continue
        for field, moment in redis_client().hgetall(key).items():
            if field.endswith(b"_at") and float(moment):
                redis_client().hset(key, field, float(moment) - seconds)


def _earlier(dialect: str, column: sa.Column[Any], seconds: float) -> sa.ColumnElement[Any]:
    if dialect == "postgresql":
        return column - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    return sa.func.strftime("%Y-%m-%d %H:%M:%f", column, f"-{seconds} seconds") + "000"


def rows(entity: type[Base], *, by: Any = None) -> Sequence[Any]:
    """Every row of a table, read outside the session."""
    with db.engine.connect() as connection:
        return connection.execute(sa.select(entity.__table__).order_by(by if by is not None else sa.text("1"))).all()


def row(entity: type[Base]) -> Any:
    """The only row of a table."""
    (only,) = rows(entity)
    return only


def statuses(entity: type[Base] = Product) -> list[str]:
    """The status of every row, in the order of their ids."""
    return [each.status.value for each in rows(entity)]


def planned(*, products: int, images: int = 1, planned: bool = True, owner: str = "") -> str:
    """Insert a request with pending products, without a file or a queued job; its id."""
    request_id = str(uuid.uuid4())
    reservations.reserve(
        owner=owner,
        id=request_id,
        filename="products.csv",
        input_key=f"{request_id}/input.csv",
        options=OPTIONS,
        fingerprint="",
        rows_total=products,
        products_total=products,
        images_total=products * images,
    )
    reservations.accept(request_id, idempotency_key=None)
    requests.claim_plan(request_id, **LEASE)
    urls = [f"http://127.0.0.1:1/{position}.jpg" for position in range(images)]
    requests.add_products(request_id, [planned_row(number, urls) for number in range(1, products + 1)], **LEASE)
    if planned:
        requests.mark_planned(request_id, token=LEASE["token"])
    return request_id


def planned_row(number: int, urls: Sequence[str]) -> PlannedRow:
    """One row of a file, as the plan saves it."""
    return PlannedRow(number, number + 1, f"{number}.", f"SKU {number}", ",".join(urls), urls)


def at_once(*calls: Callable[[], Result]) -> list[Result]:
    """Call all of them in threads that start together; their results in order."""
    app: Flask = the_app()
    ready = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        with app.app_context():
            ready.wait()
            return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def queued_jobs() -> list[str]:
    """The ids of the queued jobs, sorted."""
    return sorted(enqueue.waiting())


def lose_queue() -> None:
    """Empty the queues and keep the jobs, as a worker does that is killed just after it takes a job."""
    redis_client().delete(*(f"rq:queue:{name}" for name in enqueue.QUEUES))


def configure(**changes: Any) -> None:
    """Change settings for the rest of the test."""
    tools = current_app.extensions["services"]
    current_app.extensions["services"] = replace(tools, settings=replace(tools.settings, **changes))
