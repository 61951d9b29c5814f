"""Duplicates are made once: within a request by URL, across requests by the host's validators or by hash."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from flask import current_app

from imgproc.api.api_keys import create_key
from imgproc.db.engine import transaction
from imgproc.db.models import Product, ProductImage
from imgproc.db.statuses import ProductStatus
from imgproc.db.transitions import products
from imgproc.journey import image_maker, images, jobs
from imgproc.journey.services import services
from tests.integration.driver import (
    at_once,
    codes_of,
    configure,
    drain,
    pass_time,
    products_of,
    rows,
    status_of,
    submit,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.photographs import photo_file
from tests.support.processes import wait_until
from tests.support.s3 import ObjectStore

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)

TAG = {"ETag": '"v1"'}
DATE = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}


def made_of(objects: ObjectStore, request_id: str) -> list[bytes]:
    """The renditions of a request, in order; each has a stored original and a key of its own."""
    assert status_of(request_id)["status"] == "completed"
    images = [image for product in products_of(request_id) for image in product["images"]]
    for image in images:
        assert objects.get("originals", image["originalUrl"].removeprefix("s3://originals/"))
    keys = [image["outputUrl"].removeprefix("http://public.example/outputs/") for image in images]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith(f"{request_id}/") for key in keys)
    return [objects.get("outputs", key) for key in keys]


# -- within a request ---------------------------------------------------------------------------------------------


def test_a_url_of_many_products_is_downloaded_once(objects: ObjectStore, shop: ImageHost) -> None:
    """Every image still has objects of its own and is counted."""
    urls = [f"{shop.url}/{name}" for name in ("astronaut.jpg", "coffee.png", "rocket.webp")]
    request_id = submit(csv_of(*[urls] * 10, duplicates=True))
    status = drain(request_id)
    assert set(shop.asked.values()) == {1}
    made = made_of(objects, request_id)
    assert len(made) == 30
    assert made == made[:3] * 10
    assert status["progress"]["images"] == {"total": 30, "completed": 30, "failed": 0}
    assert status["bytes"]["output"] == sum(map(len, made))
    facts = [(image["source"], image["output"]) for product in products_of(request_id) for image in product["images"]]
    assert facts == facts[:3] * 10


def test_a_duplicate_url_in_a_cell_is_made_once(objects: ObjectStore, shop: ImageHost) -> None:
    """The URL is downloaded once, whether it succeeds or fails."""
    url = f"{shop.url}/astronaut.jpg"
    request_id = submit(csv_of([url, f"{shop.url}/coffee.png", url], duplicates=True))
    work()
    assert shop.asked["/astronaut.jpg"] == 1
    first, _, third = made_of(objects, request_id)
    assert first == third
    lost = submit(csv_of([f"{shop.url}/lost.jpg"] * 2, duplicates=True))
    drain(lost)
    assert shop.asked["/lost.jpg"] == 1
    assert codes_of(lost) == [["http_404", "http_404"]]


def test_concurrent_workers_download_a_url_once(objects: ObjectStore, shop: ImageHost) -> None:
    """The other workers wait for the first one's download."""
    url = shop.says("/slow.jpg", Answer(body=photo_file("chelsea.jpg"), delay=0.5))
    request_id = submit(csv_of(*[url] * 4, duplicates=True))
    work(most=1)
    first, *others = (partial(jobs.process_product, each.id) for each in rows(Product))

    def after_the_first(job: Callable[[], None]) -> None:
        wait_until(lambda: shop.asked["/slow.jpg"] > 0)
        job()

    at_once(first, *(partial(after_the_first, job) for job in others))
    work()
    assert shop.asked["/slow.jpg"] == 1
    assert len(set(made_of(objects, request_id))) == 1


@on_one_database
def test_a_permanent_failure_is_downloaded_once(shop: ImageHost) -> None:
    """Every duplicate gets the error code; a retry downloads again."""
    request_id = submit(csv_of(*[f"{shop.url}/lost.jpg"] * 5, duplicates=True))
    drain(request_id)
    assert shop.asked["/lost.jpg"] == 1
    assert codes_of(request_id) == [["http_404"]] * 5
    shop.says("/lost.jpg", Answer(body=photo_file("coffee.png")))
    assert current_app.test_client().post(f"/api/requests/{request_id}/retry").status_code == 202
    assert drain(request_id)["status"] == "completed"
    assert shop.asked["/lost.jpg"] == 2


@on_one_database
def test_a_temporary_failure_is_not_shared(shop: ImageHost) -> None:
    """The error may have passed since the first product's attempts, so the second product downloads again."""
    url = shop.says("/moody.jpg", *[Answer(500)] * 3, Answer(body=photo_file("coffee.png")))
    request_id = submit(csv_of(url, url, duplicates=True))
    work(most=1)
    first, second = (each.id for each in rows(Product))
    for _ in range(3):
        jobs.process_product(first)
        pass_time(120)
        products_to_queue(first)
    assert codes_of(request_id)[0] == ["http_500"]
    jobs.process_product(second)
    assert codes_of(request_id)[1] == [None]


def products_to_queue(product_id: int) -> None:
    """Queue a pending product, as the sweeper does when it is due."""
    with transaction() as connection:
        connection.execute(
            sa.update(Product)
            .where(Product.id == product_id, Product.status == ProductStatus.PENDING)
            .values(status=ProductStatus.QUEUED)
        )


def test_no_worker_waits_for_a_product_that_was_given_back(objects: ObjectStore, shop: ImageHost) -> None:
    """The first product is pending again, so the second downloads the picture and the first copies it."""
    request_id = submit(csv_of(*[f"{shop.url}/astronaut.jpg"] * 2, duplicates=True))
    work(most=1)
    first, second = (each.id for each in rows(Product))
    assert products.claim(first, token="dead", lease_seconds=30)
    products.give_back(first, token="dead")
    jobs.process_product(second)
    assert shop.asked["/astronaut.jpg"] == 1
    drain(request_id)
    assert shop.asked["/astronaut.jpg"] == 1
    assert len(set(made_of(objects, request_id))) == 1


@on_one_database
def test_no_worker_waits_longer_than_the_download_timeout(objects: ObjectStore, shop: ImageHost) -> None:
    """The first product's worker hangs with a valid lease; the second product stops waiting and downloads."""
    configure(download_timeout=0.2)
    request_id = submit(csv_of(*[f"{shop.url}/astronaut.jpg"] * 2, duplicates=True))
    work(most=1)
    first, second = (each.id for each in rows(Product))
    assert products.claim(first, token="hung", lease_seconds=30)
    jobs.process_product(second)
    assert [each.status for each in rows(Product)] == [ProductStatus.PROCESSING, ProductStatus.COMPLETED]
    drain(request_id)
    assert len(made_of(objects, request_id)) == 2


def queued(*cells: str | list[str]) -> list[int]:
    """Submit and plan a request with duplicate URLs; the ids of its unclaimed products."""
    jobs.plan(submit(csv_of(*cells, duplicates=True)))
    return [each.id for each in rows(Product)][-len(cells) :]


def test_one_of_several_concurrent_claims_makes_the_picture(shop: ImageHost) -> None:
    """However close together the claims come, one makes the picture and the others wait for it."""
    for _ in range(10):
        ids = queued(*[f"{shop.url}/astronaut.jpg"] * 4)
        claims = at_once(*(partial(products.claim, each, token=str(each), lease_seconds=30) for each in ids))
        assert sum(claim.images[0].duplicate is None for claim in claims if claim) == 1


@on_one_database
def test_no_worker_waits_for_an_expired_lease(shop: ImageHost) -> None:
    """The worker is lost, and the sweeper has not noticed yet."""
    configure(download_timeout=3600)
    first, second = queued(*[f"{shop.url}/astronaut.jpg"] * 2)
    assert products.claim(first, token="lost", lease_seconds=-1)
    jobs.process_product(second)
    assert [each.status for each in rows(Product)] == [ProductStatus.PROCESSING, ProductStatus.COMPLETED]


def test_no_worker_waits_for_a_later_claim(shop: ImageHost) -> None:
    """The later claim may wait for ours, so waiting for it would be a deadlock."""
    configure(download_timeout=3600)
    first, second = queued(*[f"{shop.url}/astronaut.jpg"] * 2)
    assert products.claim(first, token="earlier", lease_seconds=3600)

    def claim_again() -> None:
        wait_until(lambda: rows(Product)[1].status is ProductStatus.PROCESSING)
        with transaction() as connection:
            connection.execute(sa.update(Product).where(Product.id == first).values(lease_token="later"))

    at_once(partial(jobs.process_product, second), claim_again)
    assert [each.status for each in rows(Product)] == [ProductStatus.PROCESSING, ProductStatus.COMPLETED]


@on_one_database
def test_waits_for_all_duplicates_together(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product waits for all its duplicates no longer than for one of them."""
    configure(download_timeout=0.2)
    urls = [f"{shop.url}/{name}" for name in ("astronaut.jpg", "coffee.png", "rocket.webp")]
    *others, last = queued(*urls, urls)
    for each in others:
        assert products.claim(each, token="hung", lease_seconds=30)
    pauses: list[float] = []

    def wait(pause: float) -> None:
        pauses.append(pause)
        time.sleep(pause)

    monkeypatch.setattr(images.stopping, "wait", wait)
    jobs.process_product(last)
    assert rows(Product)[-1].status is ProductStatus.COMPLETED
    assert 0 < sum(pauses) < 0.4


@on_one_database
def test_a_temporary_failure_does_not_hide_a_running_duplicate(shop: ImageHost) -> None:
    """The first of three has failed and the second is being processed, so the third waits for the second."""
    url = shop.says("/moody.jpg", Answer(500))
    configure(max_attempts=1)
    first, second, third = queued(*[url] * 3)
    jobs.process_product(first)
    assert products.claim(second, token="second", lease_seconds=30)
    claim = products.claim(third, token="third", lease_seconds=30)
    assert claim
    assert (claim.images[0].duplicate, claim.images[0].holder) == (rows(ProductImage)[1].id, "second")


@on_one_database
def test_a_missing_object_is_made_again(objects: ObjectStore, shop: ImageHost) -> None:
    """A row whose object is missing cannot be copied, so the picture is downloaded again."""
    request_id = submit(csv_of(*[f"{shop.url}/astronaut.jpg"] * 2, duplicates=True))
    work(most=2)
    (done,) = (each for each in rows(ProductImage) if each.output_key)
    services().store._s3().delete_object(Bucket="outputs", Key=done.output_key)
    work()
    assert shop.asked["/astronaut.jpg"] == 2
    assert status_of(request_id)["status"] == "completed"


# -- across requests ----------------------------------------------------------------------------------------------


def twice(url: str, *, then: Answer | None = None, shop: ImageHost | None = None, **options: str) -> tuple[str, str]:
    """Run two requests for one URL, the second with `options`; their ids."""
    first = submit(csv_of(url))
    drain(first)
    if shop and then:
        shop.says("/p.jpg", then)
    second = submit(csv_of(url), **options)
    drain(second)
    return first, second


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        pytest.param(TAG, ('"v1"', None), id="ETag"),
        pytest.param({"ETag": 'W/"v1"'}, ('W/"v1"', None), id="weak ETag"),
        pytest.param(DATE, (None, DATE["Last-Modified"]), id="Last-Modified"),
        pytest.param(TAG | DATE, ('"v1"', DATE["Last-Modified"]), id="both"),
    ],
)
def test_an_unchanged_picture_is_copied(
    objects: ObjectStore, shop: ImageHost, headers: dict[str, str], condition: tuple[str, str]
) -> None:
    """The host answers 304 without a body; a third request sends the same validators."""
    url = shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=headers), Answer(304))
    first, second = twice(url)
    third = submit(csv_of(url))
    drain(third)
    assert shop.conditions == [(None, None), condition, condition]
    assert made_of(objects, first) == made_of(objects, second) == made_of(objects, third)
    assert objects.keys(second)


def test_a_changed_picture_is_made_again(objects: ObjectStore, shop: ImageHost) -> None:
    """The next request sends the ETag of the new picture."""
    answers = [Answer(body=photo_file(name), headers={"ETag": f'"{name}"'}) for name in ("coffee.png", "rocket.webp")]
    url = shop.says("/p.jpg", *answers)
    first, second = twice(url)
    assert made_of(objects, first) != made_of(objects, second)
    drain(submit(csv_of(url)))
    assert shop.conditions[-1] == ('"rocket.webp"', None)


@on_one_database
def test_the_target_of_a_redirect_is_always_downloaded(objects: ObjectStore, shop: ImageHost) -> None:
    """Another target may have the same validators, so a redirect's validators are neither stored nor sent."""
    shop.says("/old.jpg", Answer(body=photo_file("coffee.png"), headers=TAG))
    shop.says("/new.jpg", Answer(body=photo_file("rocket.webp"), headers=TAG), Answer(304))
    url = shop.says("/p.jpg", *(Answer(302, headers={"Location": f"/{name}.jpg"}) for name in ("old", "new")))
    first, second = twice(url)
    assert set(shop.conditions) == {(None, None)}
    assert made_of(objects, first) != made_of(objects, second)


@on_one_database
def test_validators_are_not_sent_after_a_redirect(objects: ObjectStore, shop: ImageHost) -> None:
    """The host now redirects to another picture, which is requested without validators."""
    shop.says("/new.jpg", Answer(body=photo_file("rocket.webp"), headers=TAG))
    answers = Answer(body=photo_file("coffee.png"), headers=TAG), Answer(302, headers={"Location": "/new.jpg"})
    first, second = twice(shop.says("/p.jpg", *answers))
    assert shop.conditions == [(None, None), ('"v1"', None), (None, None)]
    assert made_of(objects, first) != made_of(objects, second)


@on_one_database
def test_a_copy_is_not_found_by_later_requests(objects: ObjectStore, shop: ImageHost) -> None:
    """Only the first image of a URL has the validators: copies would crowd out images that may be reused."""
    url = shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG), Answer(304))
    for cells in ([[url] * 3, url], [url]):
        request_id = submit(csv_of(*cells, duplicates=True))
        drain(request_id)
        made_of(objects, request_id)
    assert [image.etag for image in rows(ProductImage)] == ['"v1"', None, None, None, '"v1"']


@on_one_database
def test_the_same_bytes_are_not_compressed_again(
    objects: ObjectStore, shop: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host sends no validators, so the downloaded bytes are compared with the stored original."""
    url = shop.says("/p.jpg", Answer(body=photo_file("coffee.png")))
    counted = Mock(wraps=image_maker.compress)
    monkeypatch.setattr(image_maker, "compress", counted)
    first, second = twice(url)
    assert (counted.call_count, shop.asked["/p.jpg"]) == (1, 2)
    assert made_of(objects, first) == made_of(objects, second)


@on_one_database
@pytest.mark.parametrize(
    "options", [{"quality": "60"}, {"scale": "0.4"}, {"format": "webp"}, {"quality": "smart"}], ids=str
)
def test_other_options_make_another_picture(objects: ObjectStore, shop: ImageHost, options: dict[str, Any]) -> None:
    """A request with other options sends no validators and makes its own rendition."""
    first, second = twice(shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG)), **options)
    assert shop.conditions == [(None, None)] * 2
    assert made_of(objects, first) != made_of(objects, second)


@on_one_database
def test_pictures_are_not_shared_between_keys(shop: ImageHost) -> None:
    """A request under another key downloads in full, so that even its duration reveals nothing."""
    url = shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG))
    drain(submit(csv_of(url)))
    form = {"file": (io.BytesIO(csv_of(url).encode()), "products.csv")}
    headers = {"X-API-Key": create_key("other")}
    assert current_app.test_client().post("/api/upload", data=form, headers=headers).status_code == 202
    work()
    assert shop.conditions == [(None, None)] * 2


def test_a_deleted_request_is_not_reused(objects: ObjectStore, shop: ImageHost) -> None:
    """Its rows and objects are gone, so the picture is downloaded again."""
    url = shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG))
    first = submit(csv_of(url))
    drain(first)
    assert current_app.test_client().delete(f"/api/requests/{first}").status_code == 204
    second = submit(csv_of(url))
    drain(second)
    assert shop.conditions == [(None, None)] * 2
    assert made_of(objects, second)


@on_one_database
@pytest.mark.parametrize("bucket", ["originals", "outputs"])
def test_objects_deleted_meanwhile_are_downloaded_again(objects: ObjectStore, shop: ImageHost, bucket: str) -> None:
    """The host answers 304, but our object is gone, so the picture is downloaded in full."""
    url = shop.says(
        "/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG), Answer(304), Answer(body=photo_file("coffee.png"))
    )
    first = submit(csv_of(url))
    drain(first)
    for key in (key.removeprefix(f"{bucket}/") for key in objects.keys(first) if key.startswith(bucket)):
        services().store._s3().delete_object(Bucket=bucket, Key=key)
    second = submit(csv_of(url))
    drain(second)
    assert shop.conditions == [(None, None), ('"v1"', None), (None, None)]
    assert made_of(objects, second)


@on_one_database
def test_reuse_can_be_switched_off(shop: ImageHost) -> None:
    """No validators are stored and none are sent."""
    configure(reuse_pictures=False)
    twice(shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG)))
    assert shop.conditions == [(None, None)] * 2
    assert {each.etag for each in rows(ProductImage)} == {None}


@on_one_database
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"ETag": '"' + "x" * 10_000 + '"'}, id="10 kB"),
        pytest.param({"ETag": "bare"}, id="no quotes"),
        pytest.param({"ETag": '"a\tb"'}, id="a control character"),
        pytest.param({"ETag": '"a", "b"'}, id="a list"),
        pytest.param({"Last-Modified": "yesterday"}, id="no date"),
    ],
)
def test_malformed_validators_are_not_stored(shop: ImageHost, headers: dict[str, str]) -> None:
    """A stored validator is sent back unchanged, so a malformed one is dropped."""
    twice(shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=headers)))
    assert shop.conditions == [(None, None)] * 2
    assert {(each.etag, each.last_modified) for each in rows(ProductImage)} == {("", "")}
