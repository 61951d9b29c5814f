"""Webhooks come at least once, under one id, by the retry schedule, from an outbox that survives a dead sender."""

from __future__ import annotations

from functools import partial

import pytest
from standardwebhooks import Webhook

from imgproc import dispatch, jobs, sweeper
from imgproc.lifecycle import deliveries
from imgproc.models import DeliveryAttempt, DeliveryStatus, WebhookDelivery
from imgproc.toolbox import toolbox
from tests.integration.driver import (
    at_once,
    csv_of,
    drain,
    get,
    pass_time,
    post,
    row,
    rows,
    status_of,
    submit,
    upload,
    work,
)
from tests.integration.shop import Answer, Shop

pytestmark = pytest.mark.usefixtures("app")


def announce(shop: Shop, *answers: Answer) -> str:
    """A request that has ended and been announced once to a receiver that answers so; its id."""
    shop.says("/webhook", *answers)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    drain(request_id)
    return request_id


def after(seconds: float) -> None:
    """Let time pass and do what is due then."""
    pass_time(seconds)
    sweeper.sweep()
    work()


def test_a_failed_delivery_is_repeated_by_the_schedule(shop: Shop) -> None:
    """After 5 s and 300 s here; each attempt is signed anew, bears the same id, and is in the log."""
    request_id = announce(shop, Answer(500), Answer(404), Answer(204))
    assert row(WebhookDelivery).status.value == "pending"
    after(10)
    after(100)
    dispatch.ring_deliveries([row(WebhookDelivery).id])
    work()
    assert shop.asked["/webhook"] == 2
    after(300)
    after(100_000)
    assert shop.asked["/webhook"] == 3

    verify = Webhook(toolbox().settings.webhook_secret or "").verify
    first, *others = [verify(each.body, dict(each.headers)) for each in shop.announcements]
    assert others == [first] * 2
    (delivery,) = get(f"/api/requests/{request_id}/deliveries")["items"]
    assert {each.headers["webhook-id"] for each in shop.announcements} == {delivery["id"]}
    assert (delivery["status"], delivery["type"]) == ("delivered", "request.completed")
    assert [(each["number"], each["responseStatus"]) for each in delivery["attempts"]] == [(1, 500), (2, 404), (3, 204)]
    assert [each["error"] and each["error"]["code"] for each in delivery["attempts"]] == ["http_500", "http_404", None]


def test_the_next_attempt_is_as_far_away_as_the_schedule_says(shop: Shop) -> None:
    """The database's clock sets the time when it writes the attempt down."""
    announce(shop, Answer(500))
    waits = []
    for seconds in (10, 1000):
        attempt = rows(DeliveryAttempt)[-1].attempted_at
        waits.append((row(WebhookDelivery).next_attempt_at - attempt).total_seconds())
        after(seconds)
    assert waits == [pytest.approx(5, abs=2), pytest.approx(300, abs=2)]


def test_an_exhausted_schedule_ends_the_delivery(shop: Shop) -> None:
    """One attempt and one for each entry, then it has failed; the request itself is as good as before."""
    request_id = announce(shop, Answer(500))
    for _ in range(5):
        after(1000)
    status = status_of(request_id)
    assert (shop.asked["/webhook"], status["status"]) == (3, "completed")
    assert (status["webhook"]["status"], status["webhook"]["nextAttemptAt"]) == ("failed", None)


@pytest.mark.parametrize(
    ("answer", "status", "asked"),
    [
        pytest.param(Answer(410), "failed", 1, id="gone stops for good"),
        pytest.param(Answer(302, headers={"Location": "/elsewhere"}), "pending", 2, id="a redirect is a failure"),
        pytest.param(Answer(429, headers={"Retry-After": "900"}), "pending", 1, id="429 says when"),
        pytest.param(Answer(503, headers={"Retry-After": "900"}), "pending", 1, id="503 says when"),
        pytest.param(Answer(429, headers={"Retry-After": "1"}), "pending", 2, id="not sooner than the schedule"),
        pytest.param(Answer(500, headers={"Retry-After": "900"}), "pending", 2, id="500 does not"),
        pytest.param(Answer(299), "delivered", 1, id="any 2xx is success"),
    ],
)
def test_the_answer_decides_what_comes_next(shop: Shop, answer: Answer, status: str, asked: int) -> None:
    """A minute later it has been sent again, or not."""
    announce(shop, answer)
    after(60)
    assert (row(WebhookDelivery).status.value, shop.asked["/webhook"]) == (status, asked)
    assert shop.asked["/elsewhere"] == 0


def test_a_delivery_can_be_sent_again_under_the_same_id(shop: Shop) -> None:
    """By hand, be it delivered or failed; with a fresh schedule, and the log goes on."""
    request_id = announce(shop, Answer(410), Answer(500), Answer(200))
    delivery = row(WebhookDelivery)
    path = f"/api/requests/{request_id}/deliveries/{delivery.id}/redeliver"
    assert post(path).status_code == 202
    work()
    assert row(WebhookDelivery).status.value == "pending"
    after(10)
    assert row(WebhookDelivery).status.value == "delivered"
    assert post(path).status_code == 202
    work()
    assert {each.headers["webhook-id"] for each in shop.announcements} == {delivery.id}
    assert [each.response_status for each in rows(DeliveryAttempt)] == [410, 500, 200, 200]


def test_a_delivery_of_another_request_is_not_found(shop: Shop) -> None:
    """Nor one that never was."""
    announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    other = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    for path in (f"/api/requests/{other}/deliveries/{delivery}", f"/api/requests/{other}/deliveries/none"):
        assert post(f"{path}/redeliver").json["code"] == "delivery_not_found"


def test_two_senders_at_once_send_once(shop: Shop) -> None:
    """A delivery is leased like any other work."""
    request_id = announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    deliveries.redeliver(request_id, delivery)
    at_once(*[partial(jobs.deliver, delivery)] * 3)
    assert shop.asked["/webhook"] == 2


def test_a_sender_that_died_is_replaced_and_refused_later(shop: Shop) -> None:
    """At least once means once more here: nobody knows whether the dead one was heard."""
    request_id = announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    deliveries.redeliver(request_id, delivery)
    assert deliveries.claim(delivery, token="dead", lease_seconds=60)
    assert post(f"/api/requests/{request_id}/deliveries/{delivery}/redeliver").status_code == 409
    after(30)
    assert shop.asked["/webhook"] == 1
    after(60)
    assert (shop.asked["/webhook"], row(WebhookDelivery).status.value) == (2, "delivered")
    outcome = deliveries.Outcome(DeliveryStatus.FAILED, duration_ms=1)
    assert not deliveries.record(delivery, outcome, token="dead")
    assert (row(WebhookDelivery).status.value, row(WebhookDelivery).lease_token) == ("delivered", None)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://10.0.0.1/hook", id="a private address"),
        pytest.param("ftp://shop.example/hook", id="another scheme"),
        pytest.param("/hook", id="relative"),
    ],
)
def test_a_webhook_url_we_may_not_post_to_is_refused_at_once(shop: Shop, url: str) -> None:
    """Before anything is accepted."""
    response = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=url)
    assert (response.status_code, response.json["code"]) == (422, "invalid_webhook_url")
