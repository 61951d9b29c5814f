"""The same picture once: in a request by its URL, across requests by what its host or its hash says."""

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
    """The renditions of a request, in order; each has an original beside it."""
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
    """Every slot has objects of its own, and the counters count them all."""
    urls = [f"{shop.url}/{name}" for name in ("astronaut.jpg", "coffee.png", "rocket.webp")]
    request_id = submit(csv_of(*[urls] * 10, repeats=True))
    status = drain(request_id)
    assert set(shop.asked.values()) == {1}
    made = made_of(objects, request_id)
    assert len(made) == 30
    assert made == made[:3] * 10
    assert status["progress"]["images"] == {"total": 30, "completed": 30, "failed": 0}
    assert status["bytes"]["output"] == sum(map(len, made))
    facts = [(image["source"], image["output"]) for product in products_of(request_id) for image in product["images"]]
    assert facts == facts[:3] * 10


def test_the_same_url_twice_in_a_cell_is_made_once(objects: ObjectStore, shop: ImageHost) -> None:
    """Also where it fails."""
    url = f"{shop.url}/astronaut.jpg"
    request_id = submit(csv_of([url, f"{shop.url}/coffee.png", url], repeats=True))
    work()
    assert shop.asked["/astronaut.jpg"] == 1
    first, _, third = made_of(objects, request_id)
    assert first == third
    lost = submit(csv_of([f"{shop.url}/lost.jpg"] * 2, repeats=True))
    drain(lost)
    assert shop.asked["/lost.jpg"] == 1
    assert codes_of(lost) == [["http_404", "http_404"]]


def test_workers_at_once_download_it_once(objects: ObjectStore, shop: ImageHost) -> None:
    """All but the first wait for it."""
    url = shop.says("/slow.jpg", Answer(body=photo_file("chelsea.jpg"), delay=0.5))
    request_id = submit(csv_of(*[url] * 4, repeats=True))
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
def test_what_fails_for_good_is_asked_once(shop: ImageHost) -> None:
    """Each slot says why; a retry asks again."""
    request_id = submit(csv_of(*[f"{shop.url}/lost.jpg"] * 5, repeats=True))
    drain(request_id)
    assert shop.asked["/lost.jpg"] == 1
    assert codes_of(request_id) == [["http_404"]] * 5
    shop.says("/lost.jpg", Answer(body=photo_file("coffee.png")))
    assert current_app.test_client().post(f"/api/requests/{request_id}/retry").status_code == 202
    assert drain(request_id)["status"] == "completed"
    assert shop.asked["/lost.jpg"] == 2


@on_one_database
def test_a_passing_failure_is_not_taken_over(shop: ImageHost) -> None:
    """What the first product saw after its attempts may have passed."""
    url = shop.says("/moody.jpg", *[Answer(503)] * 3, Answer(body=photo_file("coffee.png")))
    request_id = submit(csv_of(url, url, repeats=True))
    work(most=1)
    first, second = (each.id for each in rows(Product))
    for _ in range(3):
        jobs.process_product(first)
        pass_time(120)
        products_to_queue(first)
    assert codes_of(request_id)[0] == ["http_503"]
    jobs.process_product(second)
    assert codes_of(request_id)[1] == [None]


def products_to_queue(product_id: int) -> None:
    """As the sweeper does where a product's time has come."""
    with transaction() as connection:
        connection.execute(
            sa.update(Product)
            .where(Product.id == product_id, Product.status == ProductStatus.PENDING)
            .values(status=ProductStatus.QUEUED)
        )


def test_nobody_waits_for_a_worker_that_gave_up(objects: ObjectStore, shop: ImageHost) -> None:
    """The first product is back among the pending; the second goes on by itself, and the first copies it."""
    request_id = submit(csv_of(*[f"{shop.url}/astronaut.jpg"] * 2, repeats=True))
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
def test_nobody_waits_longer_than_a_download_may_take(objects: ObjectStore, shop: ImageHost) -> None:
    """The first product's worker hangs, with a lease that holds."""
    configure(download_timeout=0.2)
    request_id = submit(csv_of(*[f"{shop.url}/astronaut.jpg"] * 2, repeats=True))
    work(most=1)
    first, second = (each.id for each in rows(Product))
    assert products.claim(first, token="hung", lease_seconds=30)
    jobs.process_product(second)
    assert [each.status for each in rows(Product)] == [ProductStatus.PROCESSING, ProductStatus.COMPLETED]
    drain(request_id)
    assert len(made_of(objects, request_id)) == 2


def queued(*cells: str | list[str]) -> list[int]:
    """The products of a new request with repeated URLs, none of which a worker has had yet."""
    submit(csv_of(*cells, repeats=True))
    work(most=1)
    return [each.id for each in rows(Product)][-len(cells) :]


def test_of_two_claims_at_once_one_sees_the_other(shop: ImageHost) -> None:
    """However close together they come, one makes the picture and the others wait for it."""
    for _ in range(10):
        ids = queued(*[f"{shop.url}/astronaut.jpg"] * 4)
        claims = at_once(*(partial(products.claim, each, token=str(each), lease_seconds=30) for each in ids))
        assert sum(claim.images[0].duplicate is None for claim in claims if claim) == 1


@on_one_database
def test_nobody_waits_for_a_lease_that_ran_out(shop: ImageHost) -> None:
    """Its worker is lost, and the sweeper has yet to notice."""
    configure(download_timeout=3600)
    first, second = queued(*[f"{shop.url}/astronaut.jpg"] * 2)
    assert products.claim(first, token="lost", lease_seconds=-1)
    jobs.process_product(second)
    assert [each.status for each in rows(Product)] == [ProductStatus.PROCESSING, ProductStatus.COMPLETED]


def test_nobody_waits_for_a_later_claim_than_its_own(shop: ImageHost) -> None:
    """It may be waiting for ours."""
    configure(download_timeout=3600)
    first, second = queued(*[f"{shop.url}/astronaut.jpg"] * 2)
    assert products.claim(first, token="earlier", lease_seconds=3600)

    def claim_anew() -> None:
        wait_until(lambda: rows(Product)[1].status is ProductStatus.PROCESSING)
        with transaction() as connection:
            connection.execute(sa.update(Product).where(Product.id == first).values(lease_token="later"))

    at_once(partial(jobs.process_product, second), claim_anew)
    assert [each.status for each in rows(Product)] == [ProductStatus.PROCESSING, ProductStatus.COMPLETED]


@on_one_database
def test_waits_for_all_its_pictures_together(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """No longer than for one of them."""
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
    assert 0.2 <= sum(pauses) < 0.4


@on_one_database
def test_a_passing_failure_hides_nobody(shop: ImageHost) -> None:
    """Of three the first has failed, the second is being made, the third waits for the second."""
    url = shop.says("/moody.jpg", Answer(503))
    configure(max_attempts=1)
    first, second, third = queued(*[url] * 3)
    jobs.process_product(first)
    assert products.claim(second, token="second", lease_seconds=30)
    claim = products.claim(third, token="third", lease_seconds=30)
    assert claim
    assert (claim.images[0].duplicate, claim.images[0].holder) == (rows(ProductImage)[1].id, "second")


@on_one_database
def test_objects_that_are_gone_are_made_again(objects: ObjectStore, shop: ImageHost) -> None:
    """A row without its object is nothing to copy."""
    request_id = submit(csv_of(*[f"{shop.url}/astronaut.jpg"] * 2, repeats=True))
    work(most=2)
    (done,) = (each for each in rows(ProductImage) if each.output_key)
    services().store._s3().delete_object(Bucket="outputs", Key=done.output_key)
    work()
    assert shop.asked["/astronaut.jpg"] == 2
    assert status_of(request_id)["status"] == "completed"


# -- across requests ----------------------------------------------------------------------------------------------


def twice(url: str, *, then: Answer | None = None, shop: ImageHost | None = None, **options: str) -> tuple[str, str]:
    """Two requests for one URL, the second with these options."""
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
    """The host says so, and sends nothing; a third request asks by the same words."""
    url = shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=headers), Answer(304))
    first, second = twice(url)
    third = submit(csv_of(url))
    drain(third)
    assert shop.conditions == [(None, None), condition, condition]
    assert made_of(objects, first) == made_of(objects, second) == made_of(objects, third)
    assert objects.keys(second)


def test_a_changed_picture_is_made_anew(objects: ObjectStore, shop: ImageHost) -> None:
    """And the next request goes by its new state."""
    answers = [Answer(body=photo_file(name), headers={"ETag": f'"{name}"'}) for name in ("coffee.png", "rocket.webp")]
    url = shop.says("/p.jpg", *answers)
    first, second = twice(url)
    assert made_of(objects, first) != made_of(objects, second)
    drain(submit(csv_of(url)))
    assert shop.conditions[-1] == ('"rocket.webp"', None)


@on_one_database
def test_what_a_redirect_leads_to_is_asked_for_anew(objects: ObjectStore, shop: ImageHost) -> None:
    """Another picture may bear the same words of its host: none are kept of it, and none are sent to it."""
    shop.says("/old.jpg", Answer(body=photo_file("coffee.png"), headers=TAG))
    shop.says("/new.jpg", Answer(body=photo_file("rocket.webp"), headers=TAG), Answer(304))
    url = shop.says("/p.jpg", *(Answer(302, headers={"Location": f"/{name}.jpg"}) for name in ("old", "new")))
    first, second = twice(url)
    assert set(shop.conditions) == {(None, None)}
    assert made_of(objects, first) != made_of(objects, second)


@on_one_database
def test_conditions_end_with_a_redirect(objects: ObjectStore, shop: ImageHost) -> None:
    """The host that knew the picture now sends on to another."""
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
        request_id = submit(csv_of(*cells, repeats=True))
        drain(request_id)
        made_of(objects, request_id)
    assert [image.etag for image in rows(ProductImage)] == ['"v1"', None, None, None, '"v1"']


@on_one_database
def test_the_same_bytes_are_not_compressed_again(
    objects: ObjectStore, shop: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a host that says nothing of its pictures: what it sends is compared with what is stored."""
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
    """Nothing is asked conditionally."""
    first, second = twice(shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG)), **options)
    assert shop.conditions == [(None, None)] * 2
    assert made_of(objects, first) != made_of(objects, second)


@on_one_database
def test_nobody_is_told_of_anothers_pictures(shop: ImageHost) -> None:
    """Another key's request is made in full, so that not even its time tells."""
    url = shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=TAG))
    drain(submit(csv_of(url)))
    form = {"file": (io.BytesIO(csv_of(url).encode()), "products.csv")}
    headers = {"X-API-Key": create_key("other")}
    assert current_app.test_client().post("/api/upload", data=form, headers=headers).status_code == 202
    work()
    assert shop.conditions == [(None, None)] * 2


def test_a_removed_request_is_nothing_to_go_by(objects: ObjectStore, shop: ImageHost) -> None:
    """Neither its rows nor its objects are there."""
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
    """The host says the picture has not changed, but ours is gone."""
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
def test_can_be_switched_off(shop: ImageHost) -> None:
    """Nothing is kept and nothing is asked."""
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
def test_odd_words_of_a_host_are_not_kept(shop: ImageHost, headers: dict[str, str]) -> None:
    """They would be sent back as they are."""
    twice(shop.says("/p.jpg", Answer(body=photo_file("coffee.png"), headers=headers)))
    assert shop.conditions == [(None, None)] * 2
    assert {(each.etag, each.last_modified) for each in rows(ProductImage)} == {("", "")}
