"""One test for each of the ten promises; `docs/explanation/design.md` says how each is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import QueuePool

from imgproc.core.errors import LeaseLost
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, ProductImage, WebhookDelivery
from imgproc.db.transitions import expiry, finalization, products, window
from imgproc.db.transitions.results import FailedImage, ImageResult
from imgproc.journey import image_maker, jobs
from imgproc.journey.services import services
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from tests.integration.driver import (
    at_once,
    configure,
    drain,
    pass_time,
    planned,
    row,
    rows,
    status_of,
    statuses,
    submit,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import photo_file
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")

RACES = 50


def test_1_an_accepted_request_reaches_an_end(shop: ImageHost) -> None:
    """The database is the truth: Redis is emptied after every job, and the sweeper enqueues the rest again."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3), webhookUrl=f"{shop.url}/webhook")
    for _ in range(20):
        redis_client().flushall()
        sweeper.sweep()
        work(most=1)
    assert status_of(request_id)["status"] == "completed"
    assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (3, 1)


def test_2_planning_is_a_job(shop: ImageHost) -> None:
    """The upload saves no product; the plan job does, and running it again adds none."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3))
    assert (rows(Product), status_of(request_id)["status"]) == ([], "pending")
    for _ in range(2):
        jobs.plan(request_id)
    assert [product.row for product in rows(Product)] == [1, 2, 3]


def test_3_a_window_limits_the_products_under_way(shop: ImageHost) -> None:
    """At most DISPATCH_WINDOW products of a request are queued or processing; each that ends releases one more."""
    configure(dispatch_window=2)
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 7))
    work(most=1)
    while status_of(request_id)["status"] == "processing":
        in_flight = [status for status in statuses() if status in {"queued", "processing"}]
        left = [status for status in statuses() if status != "completed"]
        assert len(in_flight) == min(2, len(left)) == len(enqueue.waiting())
        work(most=1)
    assert statuses() == ["completed"] * 7


def test_4_claims_are_leases(app: Flask) -> None:
    """A worker whose lease expired changes and counts nothing; only the database's clock decides."""
    (product_id,) = window.release(planned(products=1), window=1)
    zombie = products.claim(product_id, token="zombie", lease_seconds=30)
    assert zombie
    assert expiry.requeue_expired(max_attempts=3) == []
    pass_time(31)
    assert expiry.requeue_expired(max_attempts=3) == [product_id]
    assert not products.claim(product_id, token="busy", lease_seconds=30)  # by a process with other work
    assert products.claim(product_id, token="owner", lease_seconds=30, alone=True)
    assert not products.renew_lease(product_id, token="zombie", lease_seconds=30)
    with pytest.raises(LeaseLost):
        products.finish(product_id, _failed(zombie.images[0].id), token="zombie", window=1)
    assert (row(Product).lease_token, row(ProcessingRequest).images_failed) == ("owner", 0)


def _failed(image_id: int) -> list[ImageResult]:
    return [ImageResult(image_id, FailedImage("http_404"))]


def test_5_objects_before_rows(shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both objects are stored before a row says `completed`; after a crash in between they get the same keys."""
    finish = products.finish
    stored: list[list[str]] = []

    def look_then_finish(*arguments: Any, **options: Any) -> Any:
        stored.append(objects.keys(request_id))
        if len(stored) == 1:
            raise SystemExit  # the worker dies here
        return finish(*arguments, **options)

    monkeypatch.setattr(products, "finish", look_then_finish)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work(most=1)
    with pytest.raises(SystemExit):
        jobs.process_product(row(Product).id)
    drain(request_id)
    first, second = stored
    assert first == second == [f"originals/{request_id}/1/1.jpg", *first[1:2], f"outputs/{request_id}/1/1-sku-1.jpg"]
    assert row(ProductImage).output_bytes == len(objects.get("outputs", f"{request_id}/1/1-sku-1.jpg"))


def test_6_one_finalization(shop: ImageHost) -> None:
    """Two last products that end together elect one finalizer, and a request has one webhook delivery."""
    for _ in range(RACES):
        request_id = planned(products=2)
        ends = [partial(_end, product_id) for product_id in window.release(request_id, window=2)]
        assert sum(epoch is not None for epoch in at_once(*ends)) == 1
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    work()
    jobs.finalize(request_id, 1)
    assert [delivery.finalize_epoch for delivery in rows(WebhookDelivery)] == [1]


def _end(product_id: int) -> int | None:
    claimed = products.claim(product_id, token=str(product_id), lease_seconds=30)
    assert claimed
    settled = products.finish(product_id, _failed(claimed.images[0].id), token=str(product_id), window=2)
    return finalization.elect_finalizer(settled.request_id) if settled.all_ended else None


def test_7_webhooks_at_least_once(shop: ImageHost) -> None:
    """A delivery is retried from the outbox, under one id, until the receiver answers 2xx."""
    shop.says("/webhook", Answer(500), Answer(503), Answer())
    submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    for _ in range(4):
        work()
        pass_time(400)
        sweeper.sweep()
    assert shop.asked["/webhook"] == 3
    assert {each.headers["webhook-id"] for each in shop.announcements} == {row(WebhookDelivery).id}
    assert row(WebhookDelivery).status.value == "delivered"


def test_8_an_outage_delays_and_never_fails(
    shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the store is down, the product is given back and uses up no attempt."""
    monkeypatch.setattr(image_maker, "OUTAGE_PATIENCE", 0)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work(most=1)
    with objects.away():
        for _ in range(services().settings.max_attempts + 2):
            work()
            pass_time(60)
            sweeper.sweep()
    assert drain(request_id)["status"] == "completed"
    assert row(Product).attempt == 1


def test_9_a_temporary_error_of_a_host_is_retried(shop: ImageHost) -> None:
    """A temporary error is retried within the product's attempts; a permanent one is not."""
    flaky = shop.says("/flaky.jpg", Answer(503), Answer(429), Answer(body=photo_file("rocket.webp")))
    request_id = submit(csv_of(flaky, f"{shop.url}/missing.jpg"))
    assert drain(request_id)["status"] == "completed_with_errors"
    assert (shop.asked["/flaky.jpg"], shop.asked["/missing.jpg"]) == (3, 1)


def test_10_no_transaction_spans_a_download_an_encode_or_a_put(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker holds no database connection while it waits for a host, a codec or the object store."""
    held: dict[str, set[int]] = {}
    pool = cast("QueuePool", db.engine.pool)

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            held.setdefault(name, set()).add(pool.checkedout())
            return call(*arguments, **options)

        return run

    tools = services()
    clients = tools.store._clients.get()
    places = [(tools.downloader, "download"), (image_maker, "compress"), (tools.notifier, "notify")]
    places += [(clients.originals, "get"), (clients.originals, "put"), (clients.outputs, "put")]
    for owner, name in places:
        monkeypatch.setattr(owner, name, watched(name, getattr(owner, name)))
    csv_ = csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"])
    request_id = submit(csv_, webhookUrl=f"{shop.url}/webhook")
    db.session.rollback()  # give back this test's own connection
    work()
    assert status_of(request_id)["status"] == "completed_with_errors"
    assert held == {name: {0} for _, name in places}
