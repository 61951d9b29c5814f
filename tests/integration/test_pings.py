"""`POST /api/webhooks/test` sends one signed ping and says what came back, without holding the web server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask, current_app
from standardwebhooks import Webhook

from imgproc.api.api_keys import create_key
from imgproc.api.webhook_secrets import rotate_webhook_secret
from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.db.models import WebhookDelivery
from imgproc.journey.services import services
from imgproc.pipeline.notify import Notifier, generate_secret
from tests.integration.api.answers import UNREACHABLE, AppFactory, problem
from tests.integration.driver import configure, rows, the_app
from tests.support.hostile_servers import answer_then_drip, never_answer, serving
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.unit.test_addresses import LOOPBACK_HOSTS, SPECIAL, UNREADABLE_URLS, table

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]

HOSTILE_URLS = {
    **{name: f"http://{f'[{address}]' if ':' in address else address}/" for name, address in SPECIAL.items()},
    **{f"spelled-{name}": f"http://{host}/" for name, host in LOOPBACK_HOSTS.items()},
    **UNREADABLE_URLS,
    "another-port": "http://93.184.215.14:8080/",
    "too-long": f"https://shop.example/{'a' * 3000}",
}


@pytest.fixture(scope="module")
def closed_app(environ: dict[str, str]) -> Flask:
    """An app without private networks. A ping without a key needs no database."""
    return create_app(load_settings(environ | {"ALLOWED_NETWORKS": ""}))


def ping(url: str, *, key: str | None = None, app: Flask | None = None, **options: Any) -> Any:
    """Test a receiver; the response."""
    headers = {"X-API-Key": key} if key else {}
    client = (app or current_app).test_client()
    return client.post("/api/webhooks/test", json={"url": url}, headers=headers, **options)


def impatient(seconds: float = 0.5) -> None:
    """Give receivers less time for the rest of the test."""
    notifier = Notifier(allowed_networks=[ip_network("127.0.0.0/8")], timeout=seconds)
    current_app.extensions["services"] = replace(services(), notifier=notifier)


def test_a_ping_is_signed_as_a_webhook_is(shop: ImageHost) -> None:
    """Every secret of the caller's signs it; the answer shows what was sent and what came back."""
    shop.says("/webhook", Answer(202, b"thanks", {"Content-Type": "text/plain"}))
    old = generate_secret()
    key = create_key("shop", webhook_secret=old)
    new = rotate_webhook_secret(key[:14])
    found = ping(f"{shop.url}/webhook", key=key).json
    (arrived,) = shop.announcements
    for secret in (old, new):
        assert Webhook(secret).verify(arrived.body, dict(arrived.headers)) == {"type": "ping"}
        Webhook(secret).verify(found["request"]["body"], found["request"]["headers"])
    assert (found["delivered"], found["error"], found["note"]) == (True, None, None)
    assert (found["response"]["status"], found["response"]["body"]) == (202, "thanks")
    assert found["durationMs"] >= 0
    assert old not in str(found)
    assert new not in str(found)


def test_a_ping_is_sent_once_and_leaves_nothing(shop: ImageHost) -> None:
    """A failed one is not tried again, and there is no delivery."""
    shop.says("/webhook", Answer(503, b"", {"Retry-After": "1"}))
    found = ping(f"{shop.url}/webhook").json
    assert (found["delivered"], found["error"]["code"], found["response"]["status"]) == (False, "http_503", 503)
    assert (shop.asked["/webhook"], rows(WebhookDelivery)) == (1, [])


def test_a_redirect_is_named_and_not_followed(shop: ImageHost) -> None:
    """The target gets no connection."""
    with serving(never_answer) as canary:
        shop.says("/webhook", Answer(302, b"", {"Location": canary.url}))
        found = ping(f"{shop.url}/webhook").json
        assert canary.connections == 0
    assert canary.url in found["error"]["detail"]


def test_a_silent_receiver_is_given_up(shop: ImageHost) -> None:
    """The answer comes by the deadline, with the remedy."""
    impatient()
    with serving(never_answer) as server:
        found = ping(server.url).json
    assert (found["error"]["code"], found["response"]) == ("timeout", None)
    assert shop.announcements == []


def test_a_body_without_end_does_not_hold_the_ping() -> None:
    """The status decides; of the body, what comes at once is shown."""
    with serving(answer_then_drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x")) as server:
        found = ping(server.url).json
    assert (found["delivered"], set(found["response"]["body"])) == (True, {"x"})


# -- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", table(HOSTILE_URLS))
def test_a_hostile_url_gets_no_ping(closed_app: Flask, url: str) -> None:
    """The tables of downloads hold; the remedy is about webhooks."""
    body = problem(ping(url, app=closed_app), 422, "invalid_webhook_url")
    assert "shoe.jpg" not in body["detail"]
    assert "secret" not in body["detail"]


def test_a_name_with_a_forbidden_address_gets_no_ping(closed_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only DNS tells, so the answer is that of the attempt; it does not reveal the address."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 443))])
    found = ping("https://shop.example/hook", app=closed_app).json
    assert (found["error"]["code"], found["response"]) == ("forbidden_address", None)
    assert "10.0.0.1" not in str(found)


# -- what callers may do ------------------------------------------------------------------------------------------


@contextmanager
def pinging(silent: str, *keys: str | None) -> Iterator[None]:
    """Ping a silent receiver in a thread for each key, until the block is left."""
    slots = current_app.extensions["ping_slots"]
    app, threads = the_app(), []
    for held, key in enumerate(keys, start=1):
        thread = threading.Thread(target=ping, args=(f"http://{silent}/",), kwargs={"key": key, "app": app})
        thread.start()
        threads.append(thread)
        while slots._held.total() < held:
            time.sleep(0.01)
    yield
    for thread in threads:
        thread.join()


def test_few_pings_are_sent_at_a_time(shop: ImageHost, silent: str) -> None:
    """One of a caller and two in all; more are refused at once, and other calls are answered."""
    impatient(1.5)
    one, two, three = (create_key(name) for name in ("one", "two", "three"))
    with pinging(silent, one, two):
        for key in (one, three):
            refused = ping(f"{shop.url}/webhook", key=key)
            problem(refused, 429, "too_many_pings")
            assert int(refused.headers["Retry-After"]) == 15
    assert shop.announcements == []
    assert ping(f"{shop.url}/webhook", key=one).status_code == 200


def test_pings_count_as_actions(make_app: AppFactory, shop: ImageHost) -> None:
    """The limit of retries and redeliveries holds for them."""
    app = make_app(RATE_LIMIT_ACTIONS="1/hour")
    assert ping(f"{shop.url}/webhook", app=app).status_code == 200
    problem(ping(f"{shop.url}/webhook", app=app), 429, "rate_limited")
    assert len(shop.announcements) == 1


def test_a_ping_needs_a_key_where_calls_do(make_app: AppFactory, shop: ImageHost) -> None:
    """A stranger cannot make the server send anything."""
    app = make_app(API_KEYS_REQUIRED="true")
    problem(ping(f"{shop.url}/webhook", app=app), 401, "missing_api_key")
    assert shop.announcements == []


def test_a_ping_needs_a_secret(shop: ImageHost) -> None:
    """Without one nothing is sent."""
    configure(webhook_secret=None)
    problem(ping(f"{shop.url}/webhook"), 422, "invalid_webhook_url")


def test_a_ping_needs_no_redis(make_app: AppFactory, shop: ImageHost) -> None:
    """It is sent by the web process itself."""
    app = make_app(REDIS_URL=f"redis://{UNREACHABLE}/0")
    assert ping(f"{shop.url}/webhook", app=app).json["delivered"] is True


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        pytest.param(b"", "application/json", 400, "bad_request", id="nothing"),
        pytest.param(b"{", "application/json", 400, "bad_request", id="not JSON"),
        pytest.param(b"\xff", "application/json", 400, "bad_request", id="not UTF-8"),
        pytest.param(b"[" * 60_000, "application/json", 400, "bad_request", id="nested too deep"),
        pytest.param(b"url=http://shop.example/", "application/x-www-form-urlencoded", 400, "bad_request", id="a form"),
        pytest.param(b"{}", "application/json", 422, "invalid_option", id="no URL"),
        pytest.param(b"[]", "application/json", 422, "invalid_option", id="a list"),
        pytest.param(b'{"url":7}', "application/json", 422, "invalid_option", id="a number"),
        pytest.param(b'{"url":null}', "application/json", 422, "invalid_option", id="null"),
        pytest.param(b'{"url":"http://a.example/","to":1}', "application/json", 422, "invalid_option", id="unknown"),
        pytest.param(b'{"url":"%s"}' % (b"a" * 100_000), "application/json", 413, "file_too_large", id="too large"),
    ],
)
def test_a_body_of_another_kind_is_refused(body: bytes, content_type: str, status: int, code: str) -> None:
    """The problem says what to send."""
    answer = current_app.test_client().post("/api/webhooks/test", data=body, content_type=content_type)
    detail = problem(answer, status, code)["detail"]
    assert "_schema" not in detail
    assert "Not a valid" not in detail
