"""Cancel and retry: both are safe while workers run, and both end with a correct output CSV and webhook."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

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
    """The types of the received webhooks, in order."""
    return [json.loads(each.body)["type"] for each in shop.announcements]


def slots(objects: ObjectStore, request_id: str) -> list[bool]:
    """Whether each line of the output CSV has an output URL."""
    (key,) = (each.output_key for each in rows(ProcessingRequest) if each.id == request_id)
    lines = objects.get("outputs", key).decode().splitlines()[1:]
    return ["public.example" in line for line in lines]


# -- cancel -------------------------------------------------------------------------------------------------------


def test_cancelling_before_anything_started_downloads_nothing(shop: ImageHost, objects: ObjectStore) -> None:
    """Even before the plan: every row is in the output CSV, and the webhook is sent."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 3), webhookUrl=f"{shop.url}/webhook")
    assert post(f"/api/requests/{request_id}/cancel").status_code == 202
    status = drain(request_id)
    assert (status["status"], status["progress"]["percent"]) == ("cancelled", 0)
    assert codes_of(request_id) == [["cancelled"]] * 3
    assert (shop.asked["/chelsea.jpg"], slots(objects, request_id)) == (0, [False] * 3)
    assert types(shop) == ["request.cancelled"]


def test_cancelling_keeps_completed_products(shop: ImageHost, objects: ObjectStore) -> None:
    """Products that have not started are cancelled at once, even if they are queued."""
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
    """The remaining rows are saved as cancelled, so that each has its line in the output CSV."""
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


def test_cancelling_finishes_products_being_processed(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancel comes while a worker makes an image; the other product is cancelled."""
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 2))
    make_image = ImageMaker.make

    def cancel_then_make(*arguments: Any, **options: Any) -> Any:
        actions.cancel(request_id)
        return make_image(*arguments, **options)

    monkeypatch.setattr(ImageMaker, "make", cancel_then_make)
    assert drain(request_id)["status"] == "cancelled"
    assert statuses() == ["completed", "cancelled"]


def test_the_last_product_being_processed_completes_the_request(shop: ImageHost) -> None:
    """The cancel had nothing left to stop, so the request ends as completed."""
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


def test_a_postponed_product_is_cancelled(shop: ImageHost) -> None:
    """The sweeper cancels it instead of retrying it."""
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
    """The call takes the first step and the sweeper the others; no product starts meanwhile."""
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


def test_cancelling_twice_changes_nothing_more(shop: ImageHost) -> None:
    """Both calls get 202 before the end, and each product is counted once."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert [post(f"/api/requests/{request_id}/cancel").status_code for _ in range(2)] == [202, 202]
    drain(request_id)
    assert row(ProcessingRequest).products_cancelled == 1


def test_a_request_that_has_ended_cannot_be_cancelled(shop: ImageHost) -> None:
    """It gets 409 and does not change."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    drain(request_id)
    before = row(ProcessingRequest)
    assert post(f"/api/requests/{request_id}/cancel").json["code"] == "already_ended"
    assert row(ProcessingRequest) == before


# -- retry --------------------------------------------------------------------------------------------------------


def test_a_retry_processes_only_the_failed_images(shop: ImageHost, objects: ObjectStore) -> None:
    """Completed images do not change; the request is finalized again and a second webhook is sent."""
    good, repaired, hopeless = (f"{shop.url}/{name}" for name in ("chelsea.jpg", "repaired.jpg", "missing.jpg"))
    request_id = submit(csv_of([good, repaired], good, hopeless), webhookUrl=f"{shop.url}/webhook")
    assert drain(request_id)["status"] == "completed_with_errors"
    shop.says("/repaired.jpg", Answer(body=photo_file("rocket.webp")))
    before = {image.id: image for image in rows(ProductImage)}

    assert post(f"/api/requests/{request_id}/retry").json["status"] == "processing"
    assert status_of(request_id)["finishedAt"] is None
    status = drain(request_id)
    assert status["progress"]["products"] == {"total": 3, "completed": 2, "failed": 1}
    assert status["progress"]["images"] == {"total": 4, "completed": 3, "failed": 1}
    assert codes_of(request_id) == [[None, None], [None], ["http_404"]]
    timeless = {"stages_ms": None}  # of the last attempt
    unchanged = [image._asdict() | timeless == before[image.id]._asdict() | timeless for image in rows(ProductImage)]
    assert (unchanged, shop.asked["/chelsea.jpg"]) == ([True, False, True, True], 2)
    assert (slots(objects, request_id), shop.asked["/missing.jpg"]) == ([True, True, False], 2)
    assert types(shop) == ["request.completed_with_errors"] * 2
    assert len({each.headers["webhook-id"] for each in shop.announcements}) == 2
    assert [each.finalize_epoch for each in rows(WebhookDelivery, by=WebhookDelivery.finalize_epoch)] == [1, 2]


@pytest.mark.parametrize(
    ("chosen", "retried"),
    [
        ({"code": "http_404"}, [True, False, True]),
        ({"host": "LOCALHOST:{port}"}, [True, True, False]),
        ({"code": "http_404", "host": "localhost:{port}"}, [True, False, False]),
        ({"code": "http_404", "host": "shop.example"}, None),
        ({"code": "timeout"}, None),
    ],
)
def test_a_retry_of_some_failures(shop: ImageHost, chosen: dict[str, str], retried: list[bool] | None) -> None:
    """Those of one cause, or at one host, whose name has no case. The others keep their errors."""
    port = shop.url.rpartition(":")[2]
    local = f"http://LocalHost:{port}"
    request_id = submit(csv_of(f"{local}/missing.jpg", f"{local}/page.jpg", f"{shop.url}/missing.jpg"))
    drain(request_id)
    query = {name: value.format(port=port) for name, value in chosen.items()}
    answer = post(f"/api/requests/{request_id}/retry?{urlencode(query)}")
    if retried is None:
        assert (answer.status_code, answer.json["code"]) == (409, "nothing_to_retry")
        return
    assert answer.status_code == 202
    assert [each != "failed" for each in statuses()] == retried


def test_a_retry_without_failures_completes_the_request(shop: ImageHost) -> None:
    """No error and no failed CSV are left."""
    request_id = submit(csv_of(f"{shop.url}/repaired.jpg"))
    assert drain(request_id)["status"] == "failed"
    shop.says("/repaired.jpg", Answer(body=photo_file("rocket.webp")))
    post(f"/api/requests/{request_id}/retry")
    status = drain(request_id)
    assert (status["status"], status["error"], status["failedCsvUrl"]) == ("completed", None, None)


def test_a_cancelled_request_can_be_retried(shop: ImageHost) -> None:
    """Cancelled images are retried like failed ones."""
    configure(dispatch_window=1)
    request_id = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * 4))
    work(most=2)
    post(f"/api/requests/{request_id}/cancel")
    drain(request_id)
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    status = drain(request_id)
    assert (status["status"], status["progress"]["images"]["completed"]) == ("completed", 4)
    assert shop.asked["/chelsea.jpg"] == 4


def test_a_retry_continues_a_failed_plan(
    shop: ImageHost, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file was missing for a while; the retry continues after the last saved row."""
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


def test_refuses_a_retry_of_nothing(shop: ImageHost) -> None:
    """A request that has not ended, or that has no failed image, gets 409."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert post(f"/api/requests/{request_id}/retry").json["code"] == "not_finished"
    drain(request_id)
    assert post(f"/api/requests/{request_id}/retry").json["code"] == "nothing_to_retry"
