"""Webhooks are delivered at least once, under one id, by the retry schedule, even if the sending worker dies."""

from __future__ import annotations

import logging
from functools import partial

import pytest
import sqlalchemy as sa
from flask import current_app
from standardwebhooks import Webhook, WebhookVerificationError

from imgproc.api.api_keys import create_key, list_keys, revoke_key
from imgproc.api.webhook_secrets import drop_webhook_secret, rotate_webhook_secret
from imgproc.core.errors import InvalidInput
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import transaction
from imgproc.db.models import DeliveryAttempt, WebhookDelivery
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
    """Run a request to its end and its first delivery, which gets the first of `answers`; its id."""
    shop.says("/webhook", *answers)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    drain(request_id)
    return request_id


def after(seconds: float) -> None:
    """Let time pass, then run the jobs that are due."""
    pass_time(seconds)
    sweeper.sweep()
    work()


def test_a_failed_delivery_is_retried_by_the_schedule(shop: ImageHost) -> None:
    """The schedule here is 5 s and 300 s; each attempt has its own signature, the same id, and a log entry."""
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


def test_the_next_attempt_follows_the_schedule(shop: ImageHost) -> None:
    """The database's clock sets the time when the attempt is recorded."""
    announce(shop, Answer(500))
    waits = []
    for seconds in (10, 1000):
        attempt = rows(DeliveryAttempt)[-1].attempted_at
        waits.append((row(WebhookDelivery).next_attempt_at - attempt).total_seconds())
        after(seconds)
    assert waits == [pytest.approx(5, abs=2), pytest.approx(300, abs=2)]


def test_an_exhausted_schedule_ends_the_delivery(shop: ImageHost) -> None:
    """The delivery fails after one attempt and one per entry of the schedule; the request stays completed."""
    request_id = announce(shop, Answer(500))
    for _ in range(5):
        after(1000)
    status = status_of(request_id)
    assert (shop.asked["/webhook"], status["status"]) == (3, "completed")
    assert (status["webhook"]["status"], status["webhook"]["nextAttemptAt"]) == ("failed", None)


@pytest.mark.parametrize(
    ("answer", "status", "asked"),
    [
        pytest.param(Answer(410), "failed", 1, id="410 is permanent"),
        pytest.param(Answer(302, headers={"Location": "/elsewhere"}), "pending", 2, id="a redirect is a failure"),
        pytest.param(Answer(429, headers={"Retry-After": "900"}), "pending", 1, id="429 delays the retry"),
        pytest.param(Answer(503, headers={"Retry-After": "900"}), "pending", 1, id="503 delays the retry"),
        pytest.param(Answer(429, headers={"Retry-After": "1"}), "pending", 2, id="not sooner than the schedule"),
        pytest.param(Answer(500, headers={"Retry-After": "900"}), "pending", 2, id="500 does not delay it"),
        pytest.param(Answer(299), "delivered", 1, id="any 2xx is success"),
    ],
)
def test_the_response_decides_whether_to_retry(shop: ImageHost, answer: Answer, status: str, asked: int) -> None:
    """A minute later the delivery has been sent again, or not."""
    announce(shop, answer)
    after(60)
    assert (row(WebhookDelivery).status.value, shop.asked["/webhook"]) == (status, asked)
    assert shop.asked["/elsewhere"] == 0


def test_a_delivery_can_be_sent_again_under_the_same_id(shop: ImageHost) -> None:
    """A failed or delivered one can be sent again by hand; the schedule restarts and the log goes on."""
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
    """An unknown delivery is not found either."""
    announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    other = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    for path in (f"/api/requests/{other}/deliveries/{delivery}", f"/api/requests/{other}/deliveries/none"):
        assert post(f"{path}/redeliver").json["code"] == "delivery_not_found"


def test_concurrent_senders_send_once(shop: ImageHost) -> None:
    """Workers claim a delivery by a lease, so one of them sends it."""
    request_id = announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    deliveries.redeliver(request_id, delivery)
    at_once(*[partial(jobs.deliver, delivery)] * 3)
    assert shop.asked["/webhook"] == 2


def test_a_sender_that_died_is_replaced_and_refused_later(shop: ImageHost) -> None:
    """The dead worker may have sent the webhook or not, so it is sent again; the late result is refused."""
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
    """The upload is refused with 422."""
    response = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=url)
    assert (response.status_code, response.json["code"]) == (422, "invalid_webhook_url")


# -- signatures ---------------------------------------------------------------------------------------------------


def signers(shop: ImageHost, *secrets: str) -> list[bool]:
    """Whether each secret verifies the last webhook, as a receiver would check it."""
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
    """Run a request with this API key to its end and its webhook; its id."""
    headers = {"X-API-Key": key} if key else {}
    answer = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook", headers=headers)
    assert answer.status_code == 202, answer.text
    work()
    return str(answer.json["requestId"])


def test_each_key_signs_with_a_secret_of_its_own(shop: ImageHost) -> None:
    """No tenant can forge another's webhooks, and neither can a receiver of webhooks sent without a key."""
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
    """The key's own secret is enough; a caller without a key is refused, as its webhook could not be signed."""
    configure(webhook_secret=None)
    secret = generate_secret()
    announce_to(shop, create_key("shop", webhook_secret=secret))
    assert signers(shop, secret) == [True]
    response = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    assert (response.status_code, response.json["code"]) == (422, "invalid_webhook_url")


def test_two_secrets_sign_while_one_replaces_the_other(shop: ImageHost) -> None:
    """During a rotation either secret verifies a webhook; once the old one is dropped, only the new one does."""
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


def test_an_older_key_uses_the_shared_secret_until_it_gets_its_own(shop: ImageHost) -> None:
    """It keeps the shared secret until a rotation; then both secrets sign until the shared one is dropped."""
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
    """WEBHOOK_SECRET may hold two secrets, separated by a space: both sign."""
    one, two = generate_secret(), generate_secret()
    configure(webhook_secret=f"{one} {two}")
    announce_to(shop)
    assert signers(shop, one, two, generate_secret()) == [True, True, False]


def test_webhooks_of_a_revoked_key_are_still_signed(shop: ImageHost) -> None:
    """The accepted requests go on, and their receiver can verify the webhooks."""
    secret = generate_secret()
    key = create_key("shop", webhook_secret=secret)
    answer = upload(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook", headers={"X-API-Key": key})
    revoke_key(key[:14])
    work()
    assert answer.status_code == 202
    assert signers(shop, secret) == [True]


def test_concurrent_rotations_leave_one_new_secret() -> None:
    """One rotation succeeds; the others are refused, and their secrets are not stored."""
    key = create_key("shop")

    def rotate() -> str | None:
        try:
            return rotate_webhook_secret(key[:14])
        except InvalidInput:
            return None

    made = [secret for secret in at_once(*[rotate] * 4) if secret]
    assert len(made) == 1
    assert row(ApiKey).webhook_secrets.split()[0] == made[0]


def test_no_webhook_secret_is_shown(shop: ImageHost, caplog: pytest.LogCaptureFixture) -> None:
    """No log, list, claim or response contains it."""
    secret = generate_secret()
    key = create_key("shop", webhook_secret=secret)
    with caplog.at_level(logging.DEBUG):
        request_id = announce_to(shop, key)
    claim = deliveries.DeliveryClaim(owner="", url="", payload={}, retries=0)
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
