"""The log of deliveries: what was sent, what came back as safe text, and how much of it is kept."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import sqlalchemy as sa
from flask import current_app
from standardwebhooks import Webhook

from imgproc.db.engine import transaction
from imgproc.db.models import DeliveryAttempt, WebhookDelivery
from imgproc.db.statuses import DeliveryStatus
from imgproc.db.transitions import deliveries
from imgproc.db.transitions.deliveries import KEPT_ATTEMPTS, Outcome
from imgproc.journey.services import services
from tests.integration.api.answers import problem
from tests.integration.driver import drain, get, row, rows, submit, work
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def announce(shop: ImageHost, *answers: Answer) -> str:
    """Run a request to its end and its first delivery, which gets the first of `answers`. Returns its id."""
    shop.says("/webhook", *answers)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    drain(request_id)
    work()
    return request_id


def logged(request_id: str) -> dict[str, Any]:
    """The last attempt at the only delivery."""
    (delivery,) = get(f"/api/requests/{request_id}/deliveries")["items"]
    attempt: dict[str, Any] = delivery["attempts"][-1]
    return attempt


def test_an_attempt_shows_what_was_sent_and_what_came_back(shop: ImageHost) -> None:
    """The body is logged byte for byte, so its signature can be checked; the headers show who answered."""
    headers = {"Content-Type": "text/plain", "Via": "1.1 shop", "X-Request-Id": "7", "Set-Cookie": "session=1"}
    attempt = logged(announce(shop, Answer(401, b"Please log in.\r\nThanks.", headers)))
    arrived = shop.announcements[-1]
    assert attempt["request"]["body"] == arrived.body.decode()
    assert attempt["request"]["headers"].items() <= {**arrived.headers, "Content-Type": "application/json"}.items()
    Webhook(services().settings.webhook_secrets[0]).verify(attempt["request"]["body"], attempt["request"]["headers"])
    response = attempt["response"]
    assert (response["status"], response["body"]) == (401, "Please log in.\nThanks.")
    assert response["headers"].pop("Server")
    assert response["headers"] == {
        "Content-Type": "text/plain",
        "Content-Length": "23",
        "Via": "1.1 shop",
        "X-Request-Id": "7",
    }
    assert "without a login" in attempt["error"]["detail"]


@on_one_database
@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"a" * 5000, "a" * 1024, id="cut at a kilobyte"),
        pytest.param(b"\x1b[2J\x07\r\x00\tx", "\\x1b[2J\\x07\\x0d\\x00\tx", id="control characters"),
        pytest.param("\u202eexe.\u200f\u200b".encode(), "\\u202eexe.\\u200f\\u200b", id="marks of direction"),
        pytest.param(b"\xff\xfe caf\xe9!", "\\xff\\xfe caf\\xe9!", id="not UTF-8"),
        pytest.param(b"a" * 1023 + "é".encode(), "a" * 1023, id="a character cut in two"),
        pytest.param("größer 👟".encode(), "größer 👟", id="UTF-8"),
        pytest.param(b"<script>alert(1)</script>", "<script>alert(1)</script>", id="markup stays text"),
        pytest.param(b"secret whsec_" + b"A" * 44, "secret whsec_REDACTED", id="a secret"),
    ],
)
def test_the_answer_is_logged_as_safe_text(shop: ImageHost, body: bytes, shown: str) -> None:
    """The first 1,024 bytes, in JSON, which no browser renders."""
    request_id = announce(shop, Answer(500, body))
    assert logged(request_id)["response"]["body"] == shown
    answer = current_app.test_client().get(f"/api/requests/{request_id}/deliveries")
    assert (answer.content_type, answer.headers["X-Content-Type-Options"]) == ("application/json", "nosniff")


@on_one_database
def test_a_compressed_answer_is_not_unpacked(shop: ImageHost) -> None:
    """The bytes are shown as they came: a bomb stays packed."""
    bomb = gzip.compress(b"0" * 1_000_000)
    response = logged(announce(shop, Answer(500, bomb, {"Content-Encoding": "gzip"})))["response"]
    assert response["headers"]["Content-Encoding"] == "gzip"
    assert response["body"].startswith("\\x1f\\x8b")


@on_one_database
def test_headers_are_safe_and_short(shop: ImageHost) -> None:
    """Each is cut, and control characters are escaped."""
    headers = {"CF-Ray": "s" * 5000, "Via": "1.1 \x1b[2Jproxy", "Location": "/a?token=abcdef"}
    found = logged(announce(shop, Answer(302, b"", headers)))["response"]["headers"]
    assert (len(found["CF-Ray"]), found["Via"], found["Location"]) == (300, "1.1 \\x1b[2Jproxy", "/a?token=REDACTED")


def test_an_attempt_without_an_answer_shows_what_was_sent(shop: ImageHost) -> None:
    """The connection was closed: there is no response, and the error says what to do."""
    attempt = logged(announce(shop, Answer(0)))
    assert (attempt["response"], attempt["responseStatus"], attempt["error"]["code"]) == (None, None, "connect_failed")
    assert json.loads(attempt["request"]["body"])["type"] == "request.completed"


@on_one_database
def test_a_page_that_counts_as_delivered_is_noted(shop: ImageHost) -> None:
    """Any 2xx is success, but a receiver rarely answers HTML."""
    request_id = announce(shop, Answer(200, b"<h1>Shop</h1>", {"Content-Type": "text/html; charset=utf-8"}))
    assert "HTML page" in logged(request_id)["note"]
    assert row(WebhookDelivery).status is DeliveryStatus.DELIVERED


def test_attempts_of_earlier_versions_have_no_details(shop: ImageHost) -> None:
    """They were recorded without headers and answer."""
    request_id = announce(shop, Answer())
    with transaction() as connection:
        emptied = dict.fromkeys(("request_headers", "response_headers", "response_body"))
        connection.execute(sa.update(DeliveryAttempt).values(**emptied))
    attempt = logged(request_id)
    assert (attempt["request"], attempt["response"], attempt["responseStatus"]) == (None, None, 200)


def test_the_log_of_a_delivery_keeps_its_newest_attempts(shop: ImageHost) -> None:
    """However often it is sent again; the count goes on, and other deliveries keep theirs."""
    request_id = announce(shop, Answer())
    delivery = row(WebhookDelivery).id
    for number in range(KEPT_ATTEMPTS + 2):
        deliveries.redeliver(request_id, delivery)
        assert deliveries.claim(delivery, token="a", lease_seconds=60)
        assert deliveries.record(delivery, Outcome(DeliveryStatus.DELIVERED, number), token="a")
    numbers = [each.number for each in rows(DeliveryAttempt)]
    assert numbers == list(range(4, KEPT_ATTEMPTS + 4))
    assert row(WebhookDelivery).attempts == KEPT_ATTEMPTS + 3


def test_deliveries_come_in_pages(shop: ImageHost) -> None:
    """Newest first; the cursor goes on, and a cursor of no page is refused."""
    request_id = announce(shop, Answer())
    first = row(WebhookDelivery)
    more = [f"00000000-0000-4000-8000-00000000000{number}" for number in (2, 3)]
    added = {"request_id": request_id, "url": first.url, "payload": first.payload, "status": DeliveryStatus.DELIVERED}
    with transaction() as connection:
        for epoch, name in enumerate(more, start=first.finalize_epoch + 1):
            connection.execute(sa.insert(WebhookDelivery).values(id=name, finalize_epoch=epoch, **added))
    path = f"/api/requests/{request_id}/deliveries"
    page = get(f"{path}?limit=2")
    assert [each["id"] for each in page["items"]] == more[::-1]
    rest = get(f"{path}?limit=2&cursor={page['nextCursor']}")
    assert ([each["id"] for each in rest["items"]], rest["nextCursor"]) == ([first.id], None)
    for cursor in ("x", page["nextCursor"] + "AAAA"):
        problem(current_app.test_client().get(f"{path}?cursor={cursor}"), 422, "invalid_cursor")
