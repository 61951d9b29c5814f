"""Webhooks come at least once, under one id, by the retry schedule, from an outbox that survives a dead sender."""

from __future__ import annotations

import logging
from functools import partial

import pytest
import sqlalchemy as sa
from flask import current_app
from standardwebhooks import Webhook, WebhookVerificationError

from imgproc.api.api_keys import create_key, drop_webhook_secret, list_keys, revoke_key, rotate_webhook_secret
from imgproc.core.errors import InvalidInput
from imgproc.db.engine import transaction
from imgproc.db.models import ApiKey, DeliveryAttempt, WebhookDelivery
from imgproc.db.statuses import DeliveryStatus
from imgproc.db.transitions import deliveries
from imgproc.journey import jobs
from imgproc.journey.services import services
from imgproc.pipeline.notify import generate_secret
from imgproc.queue import enqueue
from imgproc.worker import sweeper
from tests.integration.driver import (
    at_once,
    configure,
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
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")


def announce(shop: ImageHost, *answers: Answer) -> str:
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


def test_a_failed_delivery_is_repeated_by_the_schedule(shop: ImageHost) -> None:
    """After 5 s and 300 s here; each attempt is signed anew, bears the same id, and is in the log."""
    request_id = announce(shop, Answer(500), Answer(404), Answer(204))
    assert row(WebhookDelivery).status.value == "pending"
    after(10)
    after(100)
    enqueue.deliveries([row(WebhookDelivery).id])
    work()
    assert shop.asked["/webhook"] == 2
    after(300)
    after(100_000)
    assert shop.asked["/webhook"] == 3

    verify = Webhook(services().settings.webhook_secret or "").verify
    first, *others = [verify(each.body, dict(each.headers)) for each in shop.announcements]
    assert others == [first] * 2
    (delivery,) = get(f"/api/requests/{request_id}/deliveries")["items"]
    assert {each.headers["webhook-id"] for each in shop.announcements} == {delivery["id"]}
    assert (delivery["status"], delivery["type"]) == ("delivered", "request.completed")
    assert [(each["number"], each["responseStatus"]) for each in delivery["attempts"]] == [(1, 500), (2, 404), (3, 204)]
    assert [each["error"] and each["error"]["code"] for each in delivery["attempts"]] == ["http_500", "http_404", None]


def test_the_next_attempt_is_as_far_away_as_the_schedule_says(shop: ImageHost) -> None:
    """The database's clock sets the time when it writes the attempt down."""
    announce(shop, Answer(500))
    waits = []
    for seconds in (10, 1000):
        attempt = rows(DeliveryAttempt)[-1].attempted_at
        waits.append((row(WebhookDelivery).next_attempt_at - attempt).total_seconds())
        after(seconds)
    assert waits == [pytest.approx(5, abs=2), pytest.approx(300, abs=2)]


def test_an_exhausted_schedule_ends_the_delivery(shop: ImageHost) -> None:
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
def test_the_answer_decides_what_comes_next(shop: ImageHost, answer: Answer, status: str, asked: int) -> None:
    """A minute later it has been sent again, or not."""
    announce(shop, answer)
    after(60)
    assert (row(WebhookDelivery).status.value, shop.asked["/webhook"]) == (status, asked)
    assert shop.asked["/elsewhere"] == 0


def test_a_delivery_can_be_sent_again_under_the_same_id(shop: ImageHost) -> None:
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


def test_a_delivery_of_another_request_is_not_found(shop: ImageHost) -> None:
    """Nor one that never was."""
    announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    other = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    for path in (f"/api/requests/{other}/deliveries/{delivery}", f"/api/requests/{other}/deliveries/none"):
        assert post(f"{path}/redeliver").json["code"] == "delivery_not_found"


def test_two_senders_at_once_send_once(shop: ImageHost) -> None:
    """A delivery is leased like any other work."""
    request_id = announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    deliveries.redeliver(request_id, delivery)
    at_once(*[partial(jobs.deliver, delivery)] * 3)
    assert shop.asked["/webhook"] == 2


def test_a_sender_that_died_is_replaced_and_refused_later(shop: ImageHost) -> None:
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
def test_a_webhook_url_we_may_not_post_to_is_refused_at_once(shop: ImageHost, url: str) -> None:
    """Before anything is accepted."""
    response = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=url)
    assert (response.status_code, response.json["code"]) == (422, "invalid_webhook_url")


# -- who signs ----------------------------------------------------------------------------------------------------


def signers(shop: ImageHost, *secrets: str) -> list[bool]:
    """Which of the secrets the last announcement can be verified with, as a receiver does it."""
    last = shop.announcements[-1]
    verified = []
    for secret in secrets:
        try:
            Webhook(secret).verify(last.body, dict(last.headers))
            verified.append(True)
        except WebhookVerificationError:
            verified.append(False)
    return verified


def announce_to(shop: ImageHost, key: str | None = None) -> str:
    """A request with this API key that has ended and been announced; its id."""
    headers = {"X-API-Key": key} if key else {}
    answer = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook", headers=headers)
    assert answer.status_code == 202, answer.text
    work()
    return str(answer.json["requestId"])


def test_each_key_signs_with_a_secret_of_its_own(shop: ImageHost) -> None:
    """So no tenant can forge another's webhooks, nor can whoever receives those of callers without a key."""
    one, two, configured = generate_secret(), generate_secret(), services().settings.webhook_secret or ""
    for key, expected in (
        (create_key("one", webhook_secret=one), [True, False, False]),
        (create_key("two", webhook_secret=two), [False, True, False]),
        (create_key("three"), [False, False, False]),
        (None, [False, False, True]),
    ):
        announce_to(shop, key)
        assert signers(shop, one, two, configured) == expected


def test_a_key_works_where_no_secret_is_configured(shop: ImageHost) -> None:
    """Its own is enough; a caller without a key is told that nothing could be signed."""
    configure(webhook_secret=None)
    secret = generate_secret()
    announce_to(shop, create_key("shop", webhook_secret=secret))
    assert signers(shop, secret) == [True]
    response = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    assert (response.status_code, response.json["code"]) == (422, "invalid_webhook_url")


def test_two_secrets_sign_while_one_replaces_the_other(shop: ImageHost) -> None:
    """The reference library accepts either; once the old one is dropped, the new one alone."""
    old = generate_secret()
    key = create_key("shop", webhook_secret=old)
    new = rotate_webhook_secret(key[:14])
    announce_to(shop, key)
    assert signers(shop, old, new) == [True, True]
    assert len(shop.announcements[-1].headers["webhook-signature"].split()) == 2
    with pytest.raises(InvalidInput, match="already"):
        rotate_webhook_secret(key[:14])
    assert drop_webhook_secret(key[:14]) == "shop"
    announce_to(shop, key)
    assert signers(shop, old, new) == [False, True]
    with pytest.raises(InvalidInput, match="no older"):
        drop_webhook_secret(key[:14])


def test_a_key_from_before_is_signed_for_as_before_until_it_gets_a_secret(shop: ImageHost) -> None:
    """Nothing changes for its receiver unasked; then both sign, until the shared one is dropped."""
    key, shared = create_key("shop"), services().settings.webhook_secret or ""
    with transaction() as connection:
        connection.execute(sa.update(ApiKey).values(webhook_secrets=None))
    announce_to(shop, key)
    assert signers(shop, shared) == [True]
    own = rotate_webhook_secret(key[:14])
    announce_to(shop, key)
    assert signers(shop, shared, own) == [True, True]
    drop_webhook_secret(key[:14])
    announce_to(shop, key)
    assert signers(shop, shared, own) == [False, True]


def test_the_configured_secret_can_be_replaced_too(shop: ImageHost) -> None:
    """WEBHOOK_SECRET may hold two, separated by a space: both sign."""
    one, two = generate_secret(), generate_secret()
    configure(webhook_secret=f"{one} {two}")
    announce_to(shop)
    assert signers(shop, one, two, generate_secret()) == [True, True, False]


def test_what_a_revoked_key_asked_for_is_still_signed(shop: ImageHost) -> None:
    """Its requests go on, and their receiver can verify it."""
    secret = generate_secret()
    key = create_key("shop", webhook_secret=secret)
    answer = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook", headers={"X-API-Key": key})
    revoke_key(key[:14])
    work()
    assert answer.status_code == 202
    assert signers(shop, secret) == [True]


def test_two_rotations_at_once_leave_one_new_secret() -> None:
    """One is told to look again; what it made signs nothing."""
    key = create_key("shop")

    def rotate() -> str | None:
        try:
            return rotate_webhook_secret(key[:14])
        except InvalidInput:
            return None

    made = [secret for secret in at_once(*[rotate] * 4) if secret]
    assert len(made) == 1
    assert row(ApiKey).webhook_secrets.split()[0] == made[0]


def test_no_webhook_secret_shows(shop: ImageHost, caplog: pytest.LogCaptureFixture) -> None:
    """In no log, list, claim or answer."""
    secret = generate_secret()
    key = create_key("shop", webhook_secret=secret)
    with caplog.at_level(logging.DEBUG):
        request_id = announce_to(shop, key)
    claim = deliveries.DeliveryClaim(owner="", url="", payload={}, attempts=0, retries=0)
    ask = current_app.test_client().get
    paths = [f"/api/status/{request_id}", f"/api/requests/{request_id}/deliveries", "/api/requests", "/metrics"]
    shown = [
        caplog.text,
        repr(list_keys()),
        repr(claim),
        *(ask(path, headers={"X-API-Key": key}).text for path in paths),
    ]
    assert [text for text in shown if secret.removeprefix("whsec_") in text] == []
    assert [each.own_secrets for each in list_keys()] == [1]
