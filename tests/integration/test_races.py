"""Callers' actions race the workers: in either order the request ends once, with exact counters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Flask

from imgproc.core.errors import LeaseLost
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.statuses import DeliveryStatus
from imgproc.db.transitions import actions, deliveries, finalization, products
from imgproc.db.transitions.deliveries import Outcome
from imgproc.db.transitions.results import FailedImage, ImageResult
from imgproc.db.transitions.window import release
from imgproc.journey import delete, output_files
from imgproc.journey.services import services
from imgproc.queue import enqueue
from tests.integration.driver import at_once, drain, pass_time, planned, post, row, rows, status_of, submit, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")

RACES = 30


def claimed(request_id: str, *, window: int = 1) -> list[Callable[[], int | None]]:
    """Claim the products in the window; for each, a call that finishes it and elects a finalizer if it is the last."""
    return [
        partial(_finish_and_elect, product_id)
        for product_id in release(request_id, window=window)
        if _claim(product_id)
    ]


def _claim(product_id: int) -> bool:
    return products.claim(product_id, token=str(product_id), lease_seconds=30) is not None


def _finish_and_elect(product_id: int) -> int | None:
    with db.engine.connect() as connection:
        images = connection.exec_driver_sql(f"SELECT id FROM product_images WHERE product_id = {product_id}").scalars()
        failed = [ImageResult(image_id, FailedImage("http_404")) for image_id in images.all()]
    try:
        settled = products.finish(product_id, failed, token=str(product_id), window=1)
    except LeaseLost:
        return None
    return finalization.elect_finalizer(settled.request_id) if settled.all_ended else None


def cancel_and_elect(request_id: str) -> int | None:
    """Cancel the request and elect its finalizer, as the API does."""
    actions.cancel(request_id)
    return finalization.elect_finalizer(request_id)


def test_a_cancel_races_the_end_of_the_last_product() -> None:
    """Exactly one of the two elects the finalizer, and the product counts once, as failed."""
    for _ in range(RACES):
        request_id = planned(products=1)
        (end,) = claimed(request_id)
        elected = at_once(end, partial(cancel_and_elect, request_id))
        assert sum(epoch is not None for epoch in elected) == 1
    counted = [(each.products_failed, each.products_cancelled) for each in rows(ProcessingRequest)]
    assert counted == [(1, 0)] * RACES


def test_a_cancel_races_the_release_of_the_next_products() -> None:
    """Products that a finishing worker releases are cancelled too; each product is counted once."""
    for _ in range(RACES):
        request_id = planned(products=6)
        first, second = claimed(request_id, window=2)
        at_once(first, second, partial(cancel_and_elect, request_id))
        status = status_of(request_id)
        assert (status["status"], status["progress"]["products"]["failed"]) == ("finalizing", 2)
    assert {each.products_cancelled for each in rows(ProcessingRequest)} == {4}
    assert not [each for each in rows(Product) if each.status.value in {"pending", "queued", "processing"}]


def test_two_retries_at_once_reopen_once(shop: ImageHost) -> None:
    """The second retry is refused, as the request runs again; every failed image is retried once."""
    request_id = submit(csv_of([f"{shop.url}/missing.jpg"] * 2, f"{shop.url}/missing.jpg"))
    drain(request_id)
    answers = at_once(*[partial(post, f"/api/requests/{request_id}/retry")] * 2)
    assert sorted(answer.status_code for answer in answers) == [202, 409]
    drain(request_id)
    assert shop.asked["/missing.jpg"] == 2 * 3
    assert (row(ProcessingRequest).images_failed, row(ProcessingRequest).products_failed) == (3, 2)


def test_a_retry_during_finalization_is_refused(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """409: the output CSV must be written and the webhook delivered before the request starts again."""
    request_id = submit(csv_of(f"{shop.url}/missing.jpg"), webhookUrl=f"{shop.url}/webhook")
    write_csvs, answers = output_files.write_csvs, []

    def retry_meanwhile(*arguments: Any) -> Any:
        answers.append(post(f"/api/requests/{request_id}/retry"))
        return write_csvs(*arguments)

    monkeypatch.setattr(output_files, "write_csvs", retry_meanwhile)
    assert drain(request_id)["status"] == "failed"
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, "not_finished")]
    assert (shop.asked["/missing.jpg"], shop.asked["/webhook"]) == (1, 1)


def test_a_delete_races_the_end_of_the_last_product() -> None:
    """In either order nothing is left of the request."""
    for _ in range(RACES):
        request_id = planned(products=2)
        ends = claimed(request_id, window=2)
        at_once(*ends, partial(delete.remove, services(), request_id))
    pass_time(3600)
    delete.remove_due()
    delete.remove_due()
    assert (rows(ProcessingRequest), rows(Product)) == ([], [])


def test_a_redelivery_races_the_attempt_under_way(app: Flask, shop: ImageHost) -> None:
    """It is refused during the attempt and accepted after it; the log keeps every attempt."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    work()
    delivery_id = row(WebhookDelivery).id
    delivered = Outcome(DeliveryStatus.DELIVERED, 1, response_status=200)
    for race in range(RACES):
        assert deliveries.redeliver(request_id, delivery_id) or race
        assert deliveries.claim(delivery_id, token="sender", lease_seconds=30)
        again, recorded = at_once(
            partial(deliveries.redeliver, request_id, delivery_id),
            partial(deliveries.record, delivery_id, delivered, token="sender"),
        )
        assert recorded
        assert row(WebhookDelivery).status.value == ("pending" if again else "delivered")
        assert row(WebhookDelivery).attempts == race + 2
    assert enqueue.waiting() == set()
