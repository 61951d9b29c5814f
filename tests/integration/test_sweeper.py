"""The sweeper recovers from crashes, enqueues lost jobs again, and otherwise changes nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.transitions import products
from imgproc.journey import delete, jobs, plan
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from tests.integration.driver import (
    at_once,
    drain,
    lose_queue,
    pass_time,
    planned,
    queued_jobs,
    row,
    rows,
    status_of,
    statuses,
    submit,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def request_id(shop: ImageHost) -> str:
    """Submit one product with a webhook URL; the sweeper has already seen this Redis."""
    sweeper.sweep()
    return submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")


@pytest.mark.parametrize("jobs_done", [pytest.param(n, id=name) for n, name in enumerate(["plan", "process_product"])])
def test_a_lost_job_is_enqueued_again_after_a_pause(request_id: str, shop: ImageHost, jobs_done: int) -> None:
    """The sweeper waits five seconds, since a worker may just have taken the job."""
    work(most=jobs_done) if jobs_done else None
    enqueued = queued_jobs()
    assert len(enqueued) == 1
    lose_queue()
    sweeper.sweep()
    assert queued_jobs() == []
    pass_time(10)
    sweeper.sweep()
    assert queued_jobs() == enqueued
    assert drain(request_id)["status"] == "completed"


@pytest.mark.usefixtures("finalized_by_jobs")
@pytest.mark.parametrize("jobs_done", [pytest.param(2, id="finalize"), pytest.param(3, id="deliver")])
def test_a_lost_finalization_or_delivery_is_enqueued_again(request_id: str, shop: ImageHost, jobs_done: int) -> None:
    """The sweeper enqueues an unclaimed finalization and a due delivery at once."""
    work(most=jobs_done)
    enqueued = queued_jobs()
    assert len(enqueued) == 1
    lose_queue()
    sweeper.sweep()
    assert queued_jobs() == enqueued
    work()
    assert (status_of(request_id)["webhook"]["status"], shop.asked["/webhook"]) == ("delivered", 1)


def test_a_small_file_is_finalized_by_the_worker_that_ends_its_last_product(request_id: str) -> None:
    """No other worker has to be woken first: after the plan and the product only the delivery is queued."""
    work(most=2)
    assert status_of(request_id)["status"] == "completed"
    assert [job.partition("-")[0] for job in queued_jobs()] == ["deliver"]


def test_a_worker_that_dies_before_it_finalizes_loses_nothing(request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was elected, and no job was enqueued; the sweeper enqueues one at once."""
    monkeypatch.setattr(jobs, "finalize", lambda *_: None)
    work()
    monkeypatch.undo()
    assert (status_of(request_id)["status"], queued_jobs()) == ("finalizing", [])
    sweeper.sweep()
    assert queued_jobs() == [f"finalize-{request_id}-1"]
    assert drain(request_id)["status"] == "completed"


@pytest.mark.usefixtures("finalized_by_jobs")
@pytest.mark.parametrize("jobs_done", range(1, 4))
def test_a_waiting_job_is_not_enqueued_again(request_id: str, jobs_done: int) -> None:
    """The sweeper looks at the queues before it enqueues anything again."""
    work(most=jobs_done)
    for _ in range(3):
        pass_time(10)
        sweeper.sweep()
    assert sum(enqueue.queue_lengths().values()) == 1


def test_every_job_is_enqueued_again_at_once_after_redis_was_flushed(request_id: str, shop: ImageHost) -> None:
    """A missing marker key means that Redis lost everything, so the sweeper does not wait."""
    second = submit(csv_of(*[f"{shop.url}/rocket.webp"] * 3))
    redis_client().flushall()
    sweeper.sweep()
    assert queued_jobs() == sorted([f"plan-{request_id}", f"plan-{second}"])
    work(most=2)
    redis_client().flushall()
    sweeper.sweep()
    assert queued_jobs() == sorted(f"process_product-{each.id}" for each in rows(Product))


def test_elects_a_finalizer_if_the_last_worker_died_before_the_election(
    request_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finish is committed, but the worker died before the election."""
    monkeypatch.setattr(jobs, "_finalize_if_ended", lambda _request_id: None)
    work()
    assert (status_of(request_id)["status"], statuses()) == ("processing", ["completed"])
    monkeypatch.undo()
    sweeper.sweep()
    work()
    assert status_of(request_id)["status"] == "completed"


def test_fills_the_window_if_a_worker_died_before_the_release(shop: ImageHost) -> None:
    """A crash between saving products and releasing them leaves them pending; the sweeper releases them."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plan, "release", lambda *_args, **_options: ())
        work()
    assert statuses() == ["pending"] * 3
    sweeper.sweep()
    assert statuses() == ["queued"] * 3
    work()
    assert status_of(request_id)["status"] == "completed"


def test_concurrent_sweepers_do_everything_once(shop: ImageHost) -> None:
    """Each expired lease, election and delivery is handled by one of them."""
    for _ in range(5):
        shop.asked.clear()
        request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 4), webhookUrl=f"{shop.url}/webhook")
        work(most=1)
        for each in rows(Product):
            products.claim(each.id, token="dead", lease_seconds=30)
        lose_queue()
        pass_time(60)
        at_once(*[sweeper.sweep] * 3)
        work()
        at_once(*[sweeper.sweep] * 3)
        assert drain(request_id)["status"] == "completed"
        assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (4, 1)
    assert {each.finalize_epoch for each in rows(ProcessingRequest)} == {1}
    assert len(rows(WebhookDelivery)) == 5


def test_a_pass_over_ended_requests_changes_nothing(request_id: str) -> None:
    """It changes no row and enqueues no job, however old the requests are."""
    drain(request_id)
    pass_time(100_000)
    before = row(ProcessingRequest), row(Product), row(WebhookDelivery)
    sweeper.sweep()
    assert (row(ProcessingRequest), row(Product), row(WebhookDelivery)) == before
    assert queued_jobs() == []


def test_a_pass_scans_no_table_of_products(app: Flask) -> None:
    """Each statement finds its few products by an index, however many have ended."""
    planned(products=5)
    statements: dict[str, Any] = {}

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.update(dict.fromkeys(statement.split(";\n"), parameters))  # a batch of statements is one string

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        sweeper.sweep()
        delete.remove_due()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    of_products = {text: given for text, given in statements.items() if "products" in text}
    assert len(of_products) >= 6
    plans = {text: explain(text, given) for text, given in of_products.items()}
    assert {
        text: plan for text, plan in plans.items() if re.search("SCAN products(?! USING)|Seq Scan on products", plan)
    } == {}


def explain(statement: str, parameters: Any) -> str:
    """The database's query plan; PostgreSQL would scan small tables, so sequential scans are disabled."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            options = {"no_parameters": not parameters}
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters, execution_options=options)
        else:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(str(line[-1]) for line in plan)
