"""Concurrent transitions: one worker wins a claim, one finalizer is elected per request, and counters stay exact."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask

from imgproc.core.errors import LeaseLost
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.transitions import expiry, finalization, products, window
from imgproc.db.transitions.products import ProductClaim
from imgproc.db.transitions.results import FailedImage, ImageResult, Settled
from imgproc.journey import turns
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from tests.integration.driver import (
    at_once,
    configure,
    drain,
    pass_time,
    planned,
    products_of,
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

RACES = 50


def claim(product_id: int, token: str) -> ProductClaim | None:
    """Lease a product for half a minute, in a process without other work."""
    return products.claim(product_id, token=token, lease_seconds=30, alone=True)


def results(claimed: ProductClaim) -> list[ImageResult]:
    """A failed result for every image of the claim."""
    return [ImageResult(image.id, FailedImage("http_404")) for image in claimed.images]


def finish_and_elect(product_id: int, claimed: ProductClaim, token: str) -> int | None:
    """Finish a product as a worker does; the finalize epoch if this worker is elected."""
    settled = products.finish(product_id, results(claimed), token=token, window=64)
    return finalization.elect_finalizer(settled.request_id) if settled.all_ended else None


def test_one_of_two_workers_gets_a_product() -> None:
    """One of two concurrent claims wins, and one attempt is counted."""
    request_id = planned(products=RACES)
    for product_id in window.release(request_id, window=RACES):
        won = at_once(partial(claim, product_id, "a"), partial(claim, product_id, "b"))
        assert sum(each is not None for each in won) == 1
    assert {(each.status.value, each.attempt) for each in rows(Product)} == {("processing", 1)}


def test_a_claim_whose_answer_was_lost_can_be_repeated() -> None:
    """A worker that missed the answer claims again with the same token; no second attempt is counted."""
    (product_id,) = window.release(planned(products=1), window=1)
    assert claim(product_id, "a") == claim(product_id, "a")
    assert row(Product).attempt == 1


def test_a_late_finish_changes_nothing_and_counts_nothing() -> None:
    """A worker whose lease expired is rejected by its token, before and after the new owner finishes."""
    (product_id,) = window.release(planned(products=1), window=1)
    zombie = claim(product_id, "zombie")
    pass_time(60)
    assert expiry.requeue_expired(max_attempts=3) == [product_id]
    owner = claim(product_id, "owner")
    assert zombie
    assert owner
    before = row(Product), row(ProductImage), row(ProcessingRequest)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            products.finish(product_id, results(zombie), token="zombie", window=1)
        with pytest.raises(LeaseLost):
            products.postpone(product_id, [], token="zombie", window=1, delay=5, counts_as_attempt=True)
        assert (row(Product), row(ProductImage), row(ProcessingRequest)) == before
        if before[0].lease_token:
            products.finish(product_id, results(owner), token="owner", window=1)
            before = row(Product), row(ProductImage), row(ProcessingRequest)
    assert (before[2].products_failed, before[2].images_failed) == (1, 1)


def test_two_last_products_at_once_elect_one_finalizer() -> None:
    """Exactly one finalizer is elected, whichever product commits first."""
    for _ in range(RACES):
        first, second = window.release(planned(products=2), window=2)
        claims = {each: claim(each, str(each)) for each in (first, second)}
        calls = [partial(finish_and_elect, each, claimed, str(each)) for each, claimed in claims.items() if claimed]
        epochs = at_once(*calls)
        assert sorted(epochs, key=str) == [1, None]
    assert {(each.status.value, each.finalize_epoch) for each in rows(ProcessingRequest)} == {("finalizing", 1)}


def test_a_finalizer_is_elected_once() -> None:
    """When a worker and a sweeper both see the last product ended, one is elected; a later call is not."""
    for _ in range(RACES):
        request_id = planned(products=1)
        (product_id,) = window.release(request_id, window=1)
        claimed = claim(product_id, "a")
        assert claimed
        products.finish(product_id, results(claimed), token="a", window=1)
        elect = partial(finalization.elect_finalizer, request_id)
        assert sorted(at_once(elect, elect), key=str) == [1, None]
        assert elect() is None


def test_no_finalizer_is_elected_while_work_is_left() -> None:
    """The request's counters decide, not the caller."""
    assert finalization.elect_finalizer(planned(products=1)) is None


def test_the_window_is_never_exceeded(shop: ImageHost) -> None:
    """Whatever a request's size, Redis and the workers together hold at most DISPATCH_WINDOW of its products."""
    configure(dispatch_window=3)
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 12))
    in_redis, in_flight = [], []
    while status_of(request_id)["progress"]["products"]["completed"] < 12:
        work(most=1)
        sweeper.sweep()
        in_redis.append(sum(job_id.startswith("process_product-") for job_id in enqueue.waiting()))
        in_flight.append(sum(status in {"queued", "processing"} for status in statuses()))
    assert (max(in_redis), max(in_flight)) == (3, 3)
    assert drain(request_id)["status"] == "completed"


def test_a_window_is_refilled_by_eighths() -> None:
    """A window of 16 is refilled by two when two products have ended; a postponed product is replaced at once."""
    first, *others, last = window.release(planned(products=40), window=16)
    released = [_settled(each, products.finish).released for each in (first, *others)]
    assert [len(ids) for ids in released] == [0, 2] * 7 + [0]
    assert len(_settled(last, partial(products.postpone, delay=60, counts_as_attempt=True)).released) == 2
    assert sum(status == "queued" for status in statuses()) == 16


def _settled(product_id: int, settle: Callable[..., Settled]) -> Settled:
    claimed = claim(product_id, "a")
    assert claimed
    return settle(product_id, results(claimed), token="a", window=16)


def test_two_releases_at_once_share_one_window() -> None:
    """Workers that finish at the same time do not both fill the same free places."""
    for _ in range(RACES // 5):
        request_id = planned(products=10)
        release = partial(window.release, request_id, window=4)
        released = [each for ids in at_once(release, release) for each in ids]
        assert len(released) == len(set(released)) == 4


def test_a_large_request_does_not_starve_a_small_one(shop: ImageHost) -> None:
    """The product of a later upload waits for one window of the earlier upload, not for all its products."""
    configure(dispatch_window=4)
    large = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 40))
    work(most=1)
    small = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    while status_of(small)["status"] != "completed":
        work(most=1)
    assert status_of(large)["progress"]["products"]["completed"] <= 8


def test_a_flushed_redis_loses_nothing(shop: ImageHost) -> None:
    """With FLUSHALL after every job, each picture is still downloaded once and the webhook is sent once."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 5), webhookUrl=f"{shop.url}/webhook")
    for _ in range(20):
        redis_client().flushall()
        sweeper.sweep()
        work(most=1)
    status = status_of(request_id)
    assert (status["status"], status["webhook"]["status"]) == ("completed", "delivered")
    assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (5, 1)
    assert row(ProcessingRequest).finalize_epoch == 1


def test_a_surplus_job_does_nothing(shop: ImageHost, app: Flask) -> None:
    """A job may be enqueued twice, late, or for a row that is gone."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    for _ in range(6):
        for _ in range(2):
            enqueue.plans([request_id])
            turns.enqueue_products([each.id for each in rows(Product)] + [987_654_321])
            enqueue.finalization(request_id, epoch=1)
        work(most=3)
    assert drain(request_id)["status"] == "completed"
    assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (1, 1)
    assert app.test_client().delete(f"/api/requests/{request_id}").status_code == 204
    enqueue.plans([request_id])
    enqueue.finalization(request_id, epoch=1)
    work()


def test_a_product_completes_only_if_all_its_images_did(shop: ImageHost) -> None:
    """One failed image fails its product; images and products are counted separately."""
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"], f"{shop.url}/rocket.webp"))
    progress = drain(request_id)["progress"]
    assert [product["status"] for product in products_of(request_id)] == ["failed", "completed"]
    assert progress["products"] == {"total": 2, "completed": 1, "failed": 1}
    assert progress["images"] == {"total": 3, "completed": 2, "failed": 1}
