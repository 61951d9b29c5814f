"""Webhooks sent to real receivers on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from imgproc.core.delivery_errors import DeliveryError
from imgproc.pipeline.notify import Notifier, SignedWebhook, generate_secret, sign
from tests.support.hostile_servers import Behaviour, answer, answer_then_drip, never_answer, serving

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
PAYLOAD = {"type": "request.completed", "data": {"filename": "Schuhe für März.csv", "outputCsvUrl": None}}
SECRET = generate_secret()


@pytest.fixture
def notifier() -> Iterator[Notifier]:
    """A notifier that may reach loopback."""
    notifier = Notifier(allowed_networks=LOOPBACK)
    yield notifier
    notifier.close()


def signed() -> SignedWebhook:
    """The payload, signed now."""
    return sign(PAYLOAD, webhook_id="msg_1", secrets=[SECRET])


def failure_of(notifier: Notifier, url: str) -> DeliveryError:
    """Send a webhook to `url`; the error it fails with."""
    with pytest.raises(DeliveryError) as caught:
        notifier.notify(url, signed())
    return caught.value


def test_the_receiver_can_verify_the_signature(notifier: Notifier, httpserver: HTTPServer) -> None:
    """The reference library verifies the webhook, whose body is the payload as compact JSON."""
    arrived = []

    def receive(request: Request) -> Response:
        arrived.append((request.get_data(), dict(request.headers)))
        return Response("thanks", status=202)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(receive)
    answer = notifier.notify(httpserver.url_for("/hook"), signed())
    [(body, headers)] = arrived
    assert (answer.status, answer.body) == (202, "thanks")
    assert Webhook(SECRET).verify(body, headers) == PAYLOAD
    assert body == json.dumps(PAYLOAD, separators=(",", ":")).encode()
    assert headers["Webhook-Id"] == "msg_1"
    assert headers["Content-Type"] == "application/json"


def test_every_secret_is_new_and_usable() -> None:
    """A generated secret has the spec's prefix and 256 bits."""
    secret = generate_secret()
    assert secret.startswith("whsec_")
    assert secret != generate_secret()
    assert len(Webhook(secret)._whsecret) == 32


@pytest.mark.parametrize(
    ("status", "headers", "retryable", "retry_after"),
    [
        pytest.param(400, {}, True, None, id="bad-request"),
        pytest.param(404, {}, True, None, id="not-found"),
        pytest.param(410, {}, False, None, id="gone"),
        pytest.param(429, {"Retry-After": "60"}, True, 60, id="slow-down"),
        pytest.param(500, {"Retry-After": "60"}, True, None, id="error"),
        pytest.param(503, {"Retry-After": "99999999"}, True, 86_400, id="unavailable-capped"),
    ],
)
def test_the_status_decides_whether_to_retry(
    notifier: Notifier,
    httpserver: HTTPServer,
    status: int,
    headers: dict[str, str],
    retryable: bool,
    retry_after: int | None,
) -> None:
    """410 is permanent; 429 and 503 may set the pause before a retry; other errors are simply retried."""
    httpserver.expect_request("/hook").respond_with_data("no", status=status, headers=headers)
    failure = failure_of(notifier, httpserver.url_for("/hook"))
    assert (failure.code, (failure.answer and failure.answer.status)) == (f"http_{status}", status)
    assert (failure.retryable, failure.retry_after) == (retryable, retry_after)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(notifier: Notifier, httpserver: HTTPServer, status: int) -> None:
    """The target of the redirect gets no connection."""
    with serving(never_answer) as canary:
        httpserver.expect_request("/hook").respond_with_data(status=status, headers={"Location": canary.url})
        failure = failure_of(notifier, httpserver.url_for("/hook"))
        assert canary.connections == 0
    assert (failure.code, (failure.answer and failure.answer.status), failure.retryable) == (
        f"http_{status}",
        status,
        True,
    )
    assert f"redirects to {canary.url}" in failure.detail


def test_the_body_of_the_response_does_not_matter(notifier: Notifier) -> None:
    """A 2xx status counts as delivered, even if the body never ends; it is not read for long."""
    with serving(answer_then_drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x")) as server:
        assert notifier.notify(server.url, signed()).status == 200


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        pytest.param(b"Content-Length: 9\r\n\r\nthan", "than", id="cut off"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n4\r\nthan\r\nzz\r\n", "than", id="a bad chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000, "", id="an endless chunk size"),
        pytest.param(b"Content-Encoding: gzip\r\n\r\nthanks", "thanks", id="not as declared"),
    ],
)
def test_a_broken_body_does_not_matter_either(notifier: Notifier, rest: bytes, shown: str) -> None:
    """The status has arrived; what came of the body is kept."""
    with serving(answer(b"HTTP/1.1 200 OK\r\n" + rest)) as server:
        found = notifier.notify(server.url, signed())
    assert (found.status, found.body) == (200, shown)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        pytest.param(never_answer, "timeout", id="silent"),
        pytest.param(answer_then_drip(b"", b"H"), "timeout", id="dripped-status"),
        pytest.param(answer_then_drip(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), "timeout", id="dripped-head"),
        pytest.param(answer(b""), "connect_failed", id="hangs-up"),
        pytest.param(answer(b"hello\r\n"), "connect_failed", id="not-http"),
    ],
)
def test_receivers_that_do_not_answer_are_retried(behaviour: Behaviour, code: str) -> None:
    """A silent, slow or malformed response ends by the deadline and is retryable."""
    notifier = Notifier(allowed_networks=LOOPBACK, timeout=0.6)
    with serving(behaviour) as server:
        failure = failure_of(notifier, server.url)
    notifier.close()
    assert (failure.code, failure.retryable, (failure.answer and failure.answer.status)) == (code, True, None)


def test_a_forbidden_address_is_not_contacted() -> None:
    """A webhook to a forbidden address opens no connection."""
    notifier = Notifier(allowed_networks=())
    with serving(never_answer) as canary:
        failure = failure_of(notifier, canary.url)
        assert canary.connections == 0
    assert failure.code == "forbidden_address"


def test_an_invalid_url_is_not_retried(notifier: Notifier) -> None:
    """An invalid URL stays invalid, so the failure is permanent."""
    failure = failure_of(notifier, "ftp://example.com/hook")
    assert (failure.code, failure.retryable) == ("invalid_url", False)
