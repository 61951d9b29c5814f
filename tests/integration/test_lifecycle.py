"""The transitions, raced: one winner a claim, one finalizer a request, nothing counted twice, no window exceeded."""

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
    """Lease a product for half a minute."""
    return products.claim(product_id, token=token, lease_seconds=30)


def results(claimed: ProductClaim) -> list[ImageResult]:
    """Every image of the claim has failed."""
    return [ImageResult(image.id, FailedImage("http_404")) for image in claimed.images]


def finish_and_elect(product_id: int, claimed: ProductClaim, token: str) -> int | None:
    """What a worker does at the end of a product: the epoch, where it was elected."""
    settled = products.finish(product_id, results(claimed), token=token, window=64)
    return finalization.elect_finalizer(settled.request_id) if settled.all_ended else None


def test_one_of_two_workers_gets_a_product() -> None:
    """Two claims at once have one winner, and count one attempt."""
    request_id = planned(products=RACES)
    for product_id in window.release(request_id, window=RACES):
        won = at_once(partial(claim, product_id, "a"), partial(claim, product_id, "b"))
        assert sum(each is not None for each in won) == 1
    assert {(each.status.value, each.attempt) for each in rows(Product)} == {("processing", 1)}


def test_a_claim_whose_answer_was_lost_can_be_made_again() -> None:
    """The same token claims again without counting another attempt."""
    (product_id,) = window.release(planned(products=1), window=1)
    assert claim(product_id, "a") == claim(product_id, "a")
    assert row(Product).attempt == 1


def test_a_late_finish_changes_nothing_and_counts_nothing() -> None:
    """A worker whose lease ran out is fenced off by its token, before and after the new owner's finish."""
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
    """Neither nobody nor two, whichever commits first."""
    for _ in range(RACES):
        first, second = window.release(planned(products=2), window=2)
        claims = {each: claim(each, str(each)) for each in (first, second)}
        calls = [partial(finish_and_elect, each, claimed, str(each)) for each, claimed in claims.items() if claimed]
        epochs = at_once(*calls)
        assert sorted(epochs, key=str) == [1, None]
    assert {(each.status.value, each.finalize_epoch) for each in rows(ProcessingRequest)} == {("finalizing", 1)}


def test_a_finalizer_is_elected_once() -> None:
    """Of a worker and a sweeper that both see the last product ended, one is elected; a late third is not."""
    for _ in range(RACES):
        request_id = planned(products=1)
        (product_id,) = window.release(request_id, window=1)
        claimed = claim(product_id, "a")
        assert claimed
        products.finish(product_id, results(claimed), token="a", window=1)
        elect = partial(finalization.elect_finalizer, request_id)
        assert sorted(at_once(elect, elect), key=str) == [1, None]
        assert elect() is None


def test_nobody_is_elected_while_work_is_left() -> None:
    """The counters decide, not whoever asks."""
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


def test_a_window_is_filled_again_by_eighths() -> None:
    """Of 16, the second that ends lets two in; one that is put off is replaced at once, as nobody may end after it."""
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
    """Workers that finish together do not both fill the same room."""
    for _ in range(RACES // 5):
        request_id = planned(products=10)
        release = partial(window.release, request_id, window=4)
        released = [each for ids in at_once(release, release) for each in ids]
        assert len(released) == len(set(released)) == 4


def test_a_large_request_does_not_starve_a_small_one(shop: ImageHost) -> None:
    """The one product of a later upload comes after a window of the earlier one's, not after all of them."""
    configure(dispatch_window=4)
    large = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 40))
    work(most=1)
    small = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    while status_of(small)["status"] != "completed":
        work(most=1)
    assert status_of(large)["progress"]["products"]["completed"] <= 8


def test_a_flushed_redis_loses_nothing(shop: ImageHost) -> None:
    """FLUSHALL after every single job: each picture is downloaded once, and the end announced once, all the same."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 5), webhookUrl=f"{shop.url}/webhook")
    for _ in range(20):
        redis_client().flushall()
        sweeper.sweep()
        work(most=1)
    status = status_of(request_id)
    assert (status["status"], status["webhook"]["status"]) == ("completed", "delivered")
    assert (shop.asked["/chelsea.jpg"], shop.asked["/webhook"]) == (5, 1)
    assert row(ProcessingRequest).finalize_epoch == 1


def test_a_ring_too_many_does_nothing(shop: ImageHost, app: Flask) -> None:
    """Every job may be rung twice, late, or for what is gone."""
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
    """Its status is that of its worst image; the counters count images and products apart."""
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/missing.jpg"], f"{shop.url}/rocket.webp"))
    progress = drain(request_id)["progress"]
    assert [product["status"] for product in products_of(request_id)] == ["failed", "completed"]
    assert progress["products"] == {"total": 2, "completed": 1, "failed": 1}
    assert progress["images"] == {"total": 3, "completed": 2, "failed": 1}
