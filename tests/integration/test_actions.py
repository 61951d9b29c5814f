"""Cancel, retry, delete: each safe against the workers, each followed by a true output CSV and announcement."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imgproc.core.errors import ImgprocError
from imgproc.db.models import ProcessingRequest, Product, ProductImage, WebhookDelivery
from imgproc.db.transitions import actions, products, requests
from imgproc.db.transitions.results import ImageResult
from imgproc.journey import plan
from imgproc.journey.image_maker import ImageMaker
from imgproc.journey.services import services
from imgproc.worker import sweeper
from tests.integration.driver import codes_of, configure, drain, post, row, rows, status_of, statuses, submit, work
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import photo_file
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")


def types(shop: ImageHost) -> list[str]:
    """What has been announced, in order."""
    return [json.loads(each.body)["type"] for each in shop.announcements]


def slots(objects: ObjectStore, request_id: str) -> list[bool]:
    """Whether each line of the output CSV has a URL of ours."""
    (key,) = (each.output_key for each in rows(ProcessingRequest) if each.id == request_id)
    lines = objects.get("outputs", key).decode().splitlines()[1:]
    return ["public.example" in line for line in lines]


# -- cancel -------------------------------------------------------------------------------------------------------


def test_cancelling_before_anything_started_downloads_nothing(shop: ImageHost, objects: ObjectStore) -> None:
    """Even before the plan: every row is in the output CSV, and the webhook follows."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3), webhookUrl=f"{shop.url}/webhook")
    assert post(f"/api/requests/{request_id}/cancel").status_code == 202
    status = drain(request_id)
    assert (status["status"], status["progress"]["percent"]) == ("cancelled", 0)
    assert codes_of(request_id) == [["cancelled"]] * 3
    assert (shop.asked["/chelsea.jpg"], slots(objects, request_id)) == (0, [False] * 3)
    assert types(shop) == ["request.cancelled"]


def test_cancelling_keeps_what_is_done(shop: ImageHost, objects: ObjectStore) -> None:
    """What has not started stops at once, though it was queued."""
    configure(dispatch_window=2)
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 6))
    work(most=3)
    assert post(f"/api/requests/{request_id}/cancel").status_code == 202
    assert drain(request_id)["status"] == "cancelled"
    assert statuses() == ["completed"] * 2 + ["cancelled"] * 4
    assert (shop.asked["/chelsea.jpg"], slots(objects, request_id)) == (2, [True] * 2 + [False] * 4)
    request = row(ProcessingRequest)
    assert (request.products_completed, request.products_cancelled, request.images_cancelled) == (2, 4, 4)


def test_cancelling_while_the_file_is_planned(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows still to come are saved as cancelled, so that they have their line in the output CSV."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 7))
    monkeypatch.setattr(plan, "PLAN_CHUNK", 3)
    add_products = requests.add_products

    def cancel_then_add(*arguments: Any, **options: Any) -> None:
        if rows(Product):
            actions.cancel(request_id)
        add_products(*arguments, **options)

    monkeypatch.setattr(requests, "add_products", cancel_then_add)
    work()  # without a sweep
    assert status_of(request_id)["status"] == "cancelled"
    assert (statuses(), shop.asked["/chelsea.jpg"]) == (["cancelled"] * 7, 0)
    assert (row(ProcessingRequest).products_cancelled, row(ProcessingRequest).images_cancelled) == (7, 7)


def test_a_product_in_hand_is_finished_and_the_rest_cancelled(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancel comes while a worker makes an image."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 2))
    make_image = ImageMaker.make

    def cancel_then_make(*arguments: Any, **options: Any) -> Any:
        actions.cancel(request_id)
        return make_image(*arguments, **options)

    monkeypatch.setattr(ImageMaker, "make", cancel_then_make)
    assert drain(request_id)["status"] == "cancelled"
    assert statuses() == ["completed", "cancelled"]


def test_the_last_product_in_hand_completes_a_cancelled_request(shop: ImageHost) -> None:
    """Where nothing was left to stop, everything is done and the request says so."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work(most=1)
    (product,) = rows(Product)
    claimed = products.claim(product.id, token="mine", lease_seconds=3600)
    assert claimed
    assert post(f"/api/requests/{request_id}/cancel").status_code == 202
    assert (status_of(request_id)["status"], statuses()) == ("processing", ["processing"])
    made = ImageMaker(services(), claimed, lambda: None).make(claimed.images[0])
    assert isinstance(made, ImageResult)
    products.finish(product.id, [made], token="mine", window=1)
    assert drain(request_id)["status"] == "completed"


def test_a_product_that_comes_back_unfinished_is_cancelled(shop: ImageHost) -> None:
    """It would have been tried again later; the sweeper cancels it instead."""
    shop.says("/busy.jpg", Answer(503))
    request_id = submit(csv_of(f"{shop.url}/busy.jpg"))
    work(most=1)
    (product,) = rows(Product)
    products.claim(product.id, token="mine", lease_seconds=3600)
    post(f"/api/requests/{request_id}/cancel")
    products.postpone(product.id, [], token="mine", window=1, delay=3600, counts_as_attempt=True)
    assert drain(request_id)["status"] == "cancelled"
    assert (codes_of(request_id), shop.asked["/busy.jpg"]) == ([["cancelled"]], 0)


def test_a_large_request_is_cancelled_in_steps(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call itself takes one step, and nothing starts any more while the sweeper takes the others."""
    monkeypatch.setattr(actions, "CANCEL_STEP", 4)
    configure(dispatch_window=2)
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 12))
    work(most=1)
    assert post(f"/api/requests/{request_id}/cancel").status_code == 202
    assert (statuses().count("queued"), statuses().count("cancelled")) == (0, 2 + 4)
    sweeper.sweep()
    assert (statuses().count("cancelled"), row(ProcessingRequest).images_cancelled) == (10, 10)
    assert drain(request_id)["status"] == "cancelled"
    assert (shop.asked["/chelsea.jpg"], row(ProcessingRequest).products_cancelled) == (0, 12)


def test_cancelling_again_is_the_same(shop: ImageHost) -> None:
    """202 while it ends, and nothing is counted twice."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert [post(f"/api/requests/{request_id}/cancel").status_code for _ in range(2)] == [202, 202]
    drain(request_id)
    assert row(ProcessingRequest).products_cancelled == 1


def test_a_request_that_has_ended_cannot_be_cancelled(shop: ImageHost) -> None:
    """409, and it stays as it was."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    drain(request_id)
    before = row(ProcessingRequest)
    assert post(f"/api/requests/{request_id}/cancel").json["code"] == "already_ended"
    assert row(ProcessingRequest) == before


# -- retry --------------------------------------------------------------------------------------------------------


def test_retry_tries_the_failed_images_alone(shop: ImageHost, objects: ObjectStore) -> None:
    """What is done stays as it is; the request is finalized and announced anew."""
    good, mended, hopeless = (f"{shop.url}/{name}" for name in ("chelsea.jpg", "mended.jpg", "missing.jpg"))
    request_id = submit(csv_of([good, mended], good, hopeless), webhookUrl=f"{shop.url}/webhook")
    assert drain(request_id)["status"] == "completed_with_errors"
    shop.says("/mended.jpg", Answer(body=photo_file("rocket.webp")))
    before = {image.id: image for image in rows(ProductImage)}

    assert post(f"/api/requests/{request_id}/retry").json["status"] == "processing"
    assert status_of(request_id)["finishedAt"] is None
    status = drain(request_id)
    assert status["progress"]["products"] == {"total": 3, "completed": 2, "failed": 1}
    assert status["progress"]["images"] == {"total": 4, "completed": 3, "failed": 1}
    assert codes_of(request_id) == [[None, None], [None], ["http_404"]]
    unchanged = [image == before[image.id] for image in rows(ProductImage)]
    assert (unchanged, shop.asked["/chelsea.jpg"]) == ([True, False, True, True], 2)
    assert (slots(objects, request_id), shop.asked["/missing.jpg"]) == ([True, True, False], 2)
    assert types(shop) == ["request.completed_with_errors"] * 2
    assert len({each.headers["webhook-id"] for each in shop.announcements}) == 2
    assert [each.finalize_epoch for each in rows(WebhookDelivery, by=WebhookDelivery.finalize_epoch)] == [1, 2]


def test_a_retry_that_mends_everything_completes_the_request(shop: ImageHost) -> None:
    """No error is left, nor a failed CSV."""
    request_id = submit(csv_of(f"{shop.url}/mended.jpg"))
    assert drain(request_id)["status"] == "failed"
    shop.says("/mended.jpg", Answer(body=photo_file("rocket.webp")))
    post(f"/api/requests/{request_id}/retry")
    status = drain(request_id)
    assert (status["status"], status["error"], status["failedCsvUrl"]) == ("completed", None, None)


def test_a_cancelled_request_can_be_taken_up_again(shop: ImageHost) -> None:
    """Cancelled images are tried like failed ones."""
    configure(dispatch_window=1)
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 4))
    work(most=2)
    post(f"/api/requests/{request_id}/cancel")
    drain(request_id)
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    status = drain(request_id)
    assert (status["status"], status["progress"]["images"]["completed"]) == ("completed", 4)
    assert shop.asked["/chelsea.jpg"] == 4


def test_a_request_whose_planning_failed_is_planned_on(
    shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file was gone for a while: once it is back a retry goes on after the last row that was saved."""
    monkeypatch.setattr(plan, "PLAN_CHUNK", 1)
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3), webhookUrl=f"{shop.url}/webhook")
    add_products, saved = requests.add_products, iter(range(2))

    def lose_the_file(*arguments: Any, **options: Any) -> None:
        if next(saved, None) is None:
            raise ImgprocError("gone", code="input_missing")
        add_products(*arguments, **options)

    monkeypatch.setattr(requests, "add_products", lose_the_file)
    assert drain(request_id)["error"]["code"] == "input_missing"
    assert (len(statuses()), types(shop)) == (2, ["request.failed"])
    monkeypatch.setattr(requests, "add_products", add_products)
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    status = drain(request_id)
    assert (status["status"], status["error"], statuses()) == ("completed", None, ["completed"] * 3)
    assert slots(objects, request_id) == [True] * 3
    assert types(shop) == ["request.failed", "request.completed"]


def test_there_must_be_something_to_retry(shop: ImageHost) -> None:
    """409 while the request is under way, and where nothing failed."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert post(f"/api/requests/{request_id}/retry").json["code"] == "not_finished"
    drain(request_id)
    assert post(f"/api/requests/{request_id}/retry").json["code"] == "nothing_to_retry"
