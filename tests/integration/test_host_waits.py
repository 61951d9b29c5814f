"""Products wait for hosts: their status, what wakes them, and when their images are given up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import transaction
from imgproc.db.models import Product, ProductImage
from imgproc.db.transitions import window
from imgproc.journey.host_waits import enqueue_due, wake_idle_hosts
from imgproc.queue.connection import redis_client
from tests.integration.driver import (
    codes_of,
    configure,
    drain,
    pass_time,
    post,
    products_of,
    row,
    rows,
    status_of,
    statuses,
    submit,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.hosts.host_troubles import Sometimes, always_answers, one_broken
from tests.support.hosts.replies import always
from tests.support.hosts.troubled_host import TroubledHost, troubled_host
from tests.support.image_host import REFUSED, ImageHost
from tests.support.photographs import photo_file

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(scope="module")
def the_host() -> Iterator[TroubledHost]:
    """A host that all tests share; its pictures differ only in their address."""
    with troubled_host(always(photo_file("chelsea.jpg"))) as host:
        yield host


@pytest.fixture
def host(the_host: TroubledHost) -> TroubledHost:
    """The host, without troubles."""
    the_host.rules.clear()
    the_host.forget()
    the_host.come_back()
    return the_host


def test_a_busy_host_delays_an_image_and_uses_up_no_attempt(host: TroubledHost) -> None:
    """The done images of the product stay done, and the status says for which host it waits, and why."""
    host.rules.append(one_broken("busy"))
    request_id = submit(csv_of([f"{host.url}/good.jpg", f"{host.url}/busy.jpg"]))
    work()
    assert (statuses(), row(Product).attempt) == (["pending"], 0)
    assert [each.status.value for each in rows(ProductImage)] == ["completed", "pending"]
    (waiting,) = status_of(request_id)["waiting"]
    assert waiting.pop("until") > status_of(request_id)["createdAt"]
    assert waiting == {"host": host.url.removeprefix("http://"), "products": 1, "reason": "busy"}

    host.rules.clear()
    status = drain(request_id)
    assert (status["status"], status["waiting"]) == ("completed", [])
    assert host.log.paths["/good.jpg"] == 1


def test_an_image_that_is_refused_for_ever_ends_although_others_are_served(host: TroubledHost) -> None:
    """Its own clock ends it as `host_unavailable`, which may be retried."""
    configure(host_patience=300)
    host.rules.append(one_broken("busy"))
    request_id = submit(csv_of(f"{host.url}/busy.jpg", *[f"{host.url}/{number}.jpg" for number in range(4)]))
    status = drain(request_id)
    assert status["status"] == "completed_with_errors"
    assert codes_of(request_id) == [["host_unavailable"], [None], [None], [None], [None]]
    error = products_of(request_id)[0]["images"][0]["error"]
    assert error["retryable"]
    assert "503" in error["detail"]

    host.rules.clear()
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    assert drain(request_id)["status"] == "completed"


def test_a_dead_address_is_given_up_soon_and_a_good_host_is_not(host: TroubledHost) -> None:
    """After three minutes the images of the dead address have failed, and those of the host that is away wait."""
    submit(csv_of(f"{host.url}/first.jpg"))
    work()
    host.go_away()
    request_id = submit(csv_of(f"{host.url}/second.jpg", REFUSED))
    for _ in range(6):
        work()
        pass_time(30)
        enqueue_due()
    work()
    assert codes_of(request_id) == [[None], ["host_unavailable"]]
    host.come_back()
    status = drain(request_id)
    assert status["progress"]["images"]["completed"] == 1


def test_an_empty_redis_fails_no_image_early(host: TroubledHost) -> None:
    """That the host has answered before is also in the database."""
    submit(csv_of(f"{host.url}/first.jpg"))
    work()
    host.go_away()
    request_id = submit(csv_of(f"{host.url}/second.jpg"))
    for _ in range(8):
        work()
        redis_client().flushall()
        pass_time(60)
        enqueue_due()
    work()
    assert codes_of(request_id) == [[None]]
    host.come_back()
    assert drain(request_id)["status"] == "completed"


def test_cancelling_ends_waiting_products_at_once(host: TroubledHost) -> None:
    """They do not wait for their host any more."""
    host.rules.append(always_answers(429, Retry_After="600"))
    request_id = submit(csv_of(*[f"{host.url}/{number}.jpg" for number in range(3)]))
    work()
    assert status_of(request_id)["waiting"][0]["products"] == 3
    assert post(f"/api/requests/{request_id}/cancel").status_code == 202
    assert drain(request_id)["status"] == "cancelled"
    assert [each.waiting_host for each in rows(Product)] == [None] * 3


def test_a_pause_costs_the_host_no_requests(host: TroubledHost) -> None:
    """All images of the host wait, whatever their address: a large file, or one with queries that bust caches."""
    configure(dispatch_window=8)
    pausing = Sometimes(always_answers(429, Retry_After="600"), on=True)
    host.rules.append(pausing)
    request_id = submit(csv_of(*[f"{host.url}/a.jpg?{number}" for number in range(50)]))
    for _ in range(3):
        work()
        pass_time(30)
        enqueue_due()
    assert host.log.attempts <= 8
    pausing.on = False
    pass_time(600)
    assert drain(request_id)["status"] == "completed"
    assert host.log.attempts <= 58


def test_few_products_of_a_request_wait_at_a_time(host: TroubledHost) -> None:
    """The others are not even claimed, and each that waits is due at a time of its own."""
    configure(dispatch_window=4)
    host.rules.append(always_answers(503, Retry_After="600"))
    submit(csv_of(*[f"{host.url}/{number}.jpg" for number in range(100)]))
    work()
    waiting = [each for each in rows(Product) if each.waiting_host]
    assert 4 * window.MOST_WAITING <= len(waiting) <= 4 * window.MOST_WAITING + 8
    assert len({each.not_before for each in waiting}) >= len(waiting) - 4


def test_another_host_of_the_file_does_not_wait(host: TroubledHost, shop: ImageHost) -> None:
    """Waiting products leave their place in the window to others."""
    configure(dispatch_window=4)
    host.rules.append(always_answers(503, Retry_After="600"))
    request_id = submit(csv_of(*[f"{host.url}/{number}.jpg" for number in range(10)], f"{shop.url}/chelsea.jpg"))
    work()
    assert statuses().count("completed") == 1
    assert status_of(request_id)["waiting"][0]["products"] == 10


def test_products_are_woken_before_they_are_due(host: TroubledHost) -> None:
    """As many as asked, the first in line first, but none whose image the host has refused."""
    submit(csv_of(*[f"{host.url}/{number}.jpg" for number in range(4)]))
    work(most=1)
    ids = [each.id for each in rows(Product)]
    with transaction() as connection:
        for place, (product_id, reason) in enumerate(zip(ids, ["busy", "limit", "limit", "limit"], strict=True)):
            waiting = {"status": "pending", "waiting_host": "shop:80", "waiting_reason": reason}
            due = db_now(60 + place)
            connection.execute(sa.update(Product).where(Product.id == product_id).values(**waiting, not_before=due))
    assert set(window.wake("shop:80", most=2, window=64)) == {ids[1], ids[2]}
    assert window.wake("shop:80", most=2, window=64) == ()


def test_products_that_no_download_wakes_are_released(host: TroubledHost) -> None:
    """A host may recover while nothing is under way there, and Redis may forget who waits."""
    request_id = submit(csv_of(*[f"{host.url}/{number}.jpg" for number in range(4)]))
    work(most=1)
    busy, *others = [each.id for each in rows(Product)]
    name = host.url.removeprefix("http://")
    with transaction() as connection:
        waiting = {"status": "pending", "waiting_host": name, "not_before": db_now(60)}
        for ids, reason in (([busy], "busy"), (others, "limit")):
            is_one = Product.id.in_(ids)
            connection.execute(sa.update(Product).where(is_one).values(**waiting, waiting_reason=reason))
    wake_idle_hosts()
    work()
    assert statuses() == ["pending", "completed", "completed", "completed"]
    assert status_of(request_id)["waiting"][0]["products"] == 1
