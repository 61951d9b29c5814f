"""API keys: which callers are authenticated, that each sees only its own requests, and that no secret leaks."""

from __future__ import annotations

import io
import logging
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

from imgproc.api import auth
from imgproc.api.api_keys import SHAPE, create_key, list_keys, revoke_key
from imgproc.client import Client
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import transaction
from imgproc.db.models import ProcessingRequest
from tests.integration.api.answers import UNKNOWN, UNREACHABLE, AppFactory, problem, unavailable
from tests.integration.driver import configure, pass_time, row, rows, work
from tests.support.csv_files import csv_of

CSV = csv_of("https://shop.example/1.jpg")
NEVER_ISSUED = "imgproc_" + "A" * 43

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def bearer(secret: str) -> dict[str, str]:
    """The header that a caller with this key sends."""
    return {"Authorization": f"Bearer {secret}"}


def call(path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **options: Any) -> Any:
    """Make one call; the response."""
    return current_app.test_client().open(path, method=method, headers=headers, **options)


def upload(headers: dict[str, str] | None = None) -> Any:
    """Upload the file."""
    form = {"file": (io.BytesIO(CSV.encode()), "products.csv")}
    return call("/api/upload", method="POST", headers=headers, data=form)


def listed(headers: dict[str, str] | None = None) -> set[str]:
    """The ids of the requests that this caller sees."""
    return {item["requestId"] for item in call("/api/requests", headers=headers).json["items"]}


@pytest.fixture
def secret(app: Flask) -> str:  # after `app`, which restores the settings
    """An API key; keys are required."""
    configure(api_keys_required=True)
    return create_key("shop")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda key: {"Authorization": f"Bearer {key}"}, id="bearer"),
        pytest.param(lambda key: {"Authorization": f"bearer  {key} "}, id="bearer in lower case, with spaces"),
        pytest.param(lambda key: {"X-API-Key": key}, id="X-API-Key"),
        pytest.param(lambda key: {"Authorization": f"Bearer {key}", "X-API-Key": key}, id="the same key in both"),
        pytest.param(lambda key: {"Authorization": "Basic eDp5", "X-API-Key": key}, id="next to Basic credentials"),
    ],
)
def test_accepts_a_valid_key(secret: str, headers: Callable[[str], dict[str, str]]) -> None:
    """A caller may send the key in either header."""
    assert call("/api/requests", headers=headers(secret)).status_code == 200
    assert upload(headers(secret)).status_code == 202


@on_one_database
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param(lambda _: {}, "missing_api_key", id="no key"),
        pytest.param(lambda key: {"Cookie": f"key={key}"}, "missing_api_key", id="in a cookie"),
        pytest.param(lambda key: {"Authorization": f"Basic {key}"}, "missing_api_key", id="another scheme"),
        pytest.param(lambda key: {"Authorization": key}, "missing_api_key", id="without a scheme"),
        pytest.param(lambda _: {"Authorization": "Bearer"}, "invalid_api_key", id="an empty bearer key"),
        pytest.param(lambda _: {"X-API-Key": ""}, "invalid_api_key", id="an empty X-API-Key"),
        pytest.param(lambda _: bearer(NEVER_ISSUED), "invalid_api_key", id="never issued"),
        pytest.param(lambda key: bearer(key[:-1]), "invalid_api_key", id="truncated"),
        pytest.param(lambda key: bearer(key + "A"), "invalid_api_key", id="with an extra character"),
        pytest.param(lambda key: bearer(key.swapcase()), "invalid_api_key", id="case swapped"),
        pytest.param(lambda key: bearer(key.removeprefix("imgproc_")), "invalid_api_key", id="without its prefix"),
        pytest.param(lambda _: bearer(list_keys()[0].secret_hash), "invalid_api_key", id="the stored hash"),
        pytest.param(lambda _: bearer(list_keys()[0].prefix), "invalid_api_key", id="the shown prefix"),
        pytest.param(lambda _: bearer("imgproc_' OR ''='"), "invalid_api_key", id="SQL injection"),
        pytest.param(lambda _: {"X-API-Key": "imgproc_" + "é" * 43}, "invalid_api_key", id="not ASCII"),
        pytest.param(lambda _: bearer("A" * 8000), "invalid_api_key", id="8,000 characters"),
        pytest.param(lambda key: bearer(key) | {"X-API-Key": NEVER_ISSUED}, "invalid_api_key", id="two different keys"),
    ],
)
def test_refuses_a_missing_or_invalid_key(secret: str, headers: Callable[[str], dict[str, str]], code: str) -> None:
    """The API answers 401 with a challenge before it reads or stores anything."""
    for response in (call("/api/requests", headers=headers(secret)), upload(headers(secret))):
        problem(response, 401, code)
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="imgproc"')
    problem(call(f"/api/requests?api_key={secret}", headers=headers(secret)), 401, code)
    assert rows(ProcessingRequest) == []


@on_one_database
def test_every_route_needs_a_key_unless_it_is_open(secret: str) -> None:
    """A route added later needs a key too, unless `auth.OPEN` lists it."""
    asked = set()
    for rule in current_app.url_map.iter_rules():
        path = re.sub("<[^>]+>", UNKNOWN, rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            response = call(path, method=method)
            assert (response.status_code == 401) is (rule.endpoint not in auth.OPEN), f"{method} {path}"
            asked |= {rule.endpoint} - auth.OPEN
    assert {"uploads.upload_file", "status.get_status", "requests.list_requests", "health.get_metrics"} <= asked
    problem(call("/nowhere"), 404, "not_found")


@on_one_database
def test_a_revoked_key_is_refused_at_once(secret: str) -> None:
    """Its requests stay its own: a new key of the same name does not see them."""
    request_id = upload(bearer(secret)).json["requestId"]
    assert revoke_key(secret[:14]) == "shop"
    problem(call(f"/api/status/{request_id}", headers=bearer(secret)), 401, "invalid_api_key")
    other = create_key("shop")
    problem(call(f"/api/status/{request_id}", headers=bearer(other)), 404, "request_not_found")


def test_each_caller_sees_only_its_own_requests(secret: str) -> None:
    """Two keys and the callers without a key are three owners while keys are optional."""
    configure(api_keys_required=False)
    other = create_key("other shop")
    callers: list[dict[str, str]] = [bearer(secret), bearer(other), {}]
    own = [upload(headers).json["requestId"] for headers in callers]
    assert [listed(headers) for headers in callers] == [{request_id} for request_id in own]
    configure(api_keys_required=True)
    assert listed(bearer(secret)) == {own[0]}


SHARE = "00000000-0000-4000-8000-00000000000a"
REQUEST_ROUTES = [
    ("GET", "/api/status/{}"),
    ("GET", "/api/requests/{}/products"),
    ("GET", "/api/requests/{}/output.csv"),
    ("GET", "/api/requests/{}/output.xlsx"),
    ("GET", "/api/requests/{}/failed.csv"),
    ("GET", "/api/requests/{}/deliveries"),
    ("POST", "/api/requests/{}/cancel"),
    ("POST", "/api/requests/{}/retry"),
    ("POST", "/api/requests/{}/deliveries/" + UNKNOWN + "/redeliver"),
    ("DELETE", "/api/requests/{}"),
    ("GET", "/requests/{}"),
    ("GET", "/requests/{}/progress"),
    ("GET", "/requests/{}/products"),
    ("GET", "/requests/{}/webhook"),
    ("GET", "/requests/{}/file"),
    ("GET", "/requests/{}/output.csv"),
    ("GET", "/requests/{}/output.xlsx"),
    ("GET", "/requests/{}/failed.csv"),
    ("POST", "/api/requests/{}/shares"),
    ("GET", "/api/requests/{}/shares"),
    ("DELETE", f"/api/requests/{{}}/shares/{SHARE}"),
    ("GET", "/requests/{}/share"),
    ("POST", "/requests/{}/share"),
    ("POST", f"/requests/{{}}/share/{SHARE}/revoke"),
    ("GET", "/requests/{}/images/7"),
    ("GET", "/requests/{}/images/7/before"),
    ("GET", "/requests/{}/images/7/after"),
    ("POST", "/requests/{}/cancel"),
    ("POST", "/requests/{}/retry"),
    ("POST", "/requests/{}/delete"),
    ("POST", "/requests/{}/webhook/test"),
    ("POST", f"/requests/{{}}/webhook/{UNKNOWN}/send"),
]


@on_one_database
def test_the_table_lists_every_route_of_a_request() -> None:
    """The table of the next test is complete."""
    paths = [
        path.format("<request_id>").replace(UNKNOWN, "<delivery_id>").replace(SHARE, "<share_id>")
        for _, path in REQUEST_ROUTES
    ]
    known = {path.replace("/images/7", "/images/<image_id>") for path in paths}
    assert known == {rule.rule for rule in current_app.url_map.iter_rules() if "request_id" in rule.arguments}


@on_one_database
@pytest.mark.parametrize(("method", "path"), REQUEST_ROUTES)
def test_a_foreign_request_is_answered_like_an_unknown_one(secret: str, method: str, path: str) -> None:
    """The answers are equal word for word, and the request does not change."""
    request_id = upload(bearer(secret)).json["requestId"]
    other = bearer(create_key("other"))
    before = row(ProcessingRequest)
    answers = [call(path.format(known), method=method, headers=other) for known in (request_id, str(uuid.uuid4()))]
    assert [answer.json for answer in answers] == [problem(answers[0], 404, "request_not_found")] * 2
    assert row(ProcessingRequest) == before


@on_one_database
def test_an_idempotency_key_belongs_to_the_caller(secret: str) -> None:
    """Two callers with the same key make two requests; one caller makes one."""
    other = create_key("other")
    order = {"Idempotency-Key": "order 7"}
    first, same, others = (upload(bearer(key) | order) for key in (secret, secret, other))
    assert same.json["requestId"] == first.json["requestId"] != others.json["requestId"]
    assert (same.headers.get("Idempotent-Replayed"), others.headers.get("Idempotent-Replayed")) == ("true", None)


@on_one_database
def test_an_invalid_key_is_refused_even_while_keys_are_optional() -> None:
    """A caller that sends a key is never treated as a caller without one."""
    assert upload().status_code == 202
    problem(upload(bearer(NEVER_ISSUED)), 401, "invalid_api_key")
    assert len(rows(ProcessingRequest)) == 1


def test_a_key_is_random_and_only_its_hash_is_stored() -> None:
    """The secret has 256 random bits; no column has more of it than the prefix that the list shows."""
    secret = create_key("shop")
    assert SHAPE.fullmatch(secret)
    assert secret != create_key("shop")
    (kept,) = (key for key in rows(ApiKey) if secret.startswith(key.prefix))
    assert len(kept.prefix) == 14
    assert not [value for value in kept if secret[:15] in str(value)]


def test_the_last_use_of_a_key_is_recorded_once_an_hour(secret: str) -> None:
    """Most calls therefore write nothing."""

    def last_use() -> Any:
        call("/api/requests", headers=bearer(secret))
        return row(ApiKey).last_used_at

    assert row(ApiKey).last_used_at is None
    first = last_use()
    pass_time(1800)
    assert last_use() == first - timedelta(seconds=1800)
    pass_time(1900)
    assert last_use() >= first


@on_one_database
@pytest.mark.usefixtures("secret")
def test_no_key_is_accepted_without_the_database(make_app: AppFactory) -> None:
    """A key gets 503, a call without a key still gets 401, and health checks are answered."""
    client = make_app(
        API_KEYS_REQUIRED="true", DATABASE_URL=f"postgresql://imgproc:x@{UNREACHABLE}/imgproc"
    ).test_client()
    unavailable(client.get("/api/requests", headers=bearer(NEVER_ISSUED)), "database_unavailable")
    problem(client.get("/api/requests"), 401, "missing_api_key")
    assert client.get("/healthz", headers=bearer(NEVER_ISSUED)).status_code == 200


@on_one_database
def test_openapi_names_both_ways_to_send_a_key(make_app: AppFactory) -> None:
    """`security` is optional or required, as the setting says; open routes need none."""
    for required, alternatives in (("false", 3), ("true", 2)):
        document = make_app(API_KEYS_REQUIRED=required).test_client().get("/openapi.json").get_json()
        assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}
        assert len(document["paths"]["/api/requests"]["get"]["security"]) == alternatives
        assert "401" in document["paths"]["/metrics"]["get"]["responses"]
        assert "security" not in document["paths"]["/healthz"]["get"]


@on_one_database
def test_no_secret_shows_in_a_log_an_answer_or_a_repr(
    secret: str, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The caller's key, valid or not, and the server's secrets stay hidden after success and after errors."""
    settings = current_app.extensions["services"].settings
    wrong = NEVER_ISSUED[:-4] + "Zq9x"
    with caplog.at_level(logging.DEBUG):
        answers = [
            upload(bearer(secret)),
            upload(bearer(wrong)),
            call("/api/requests", headers=bearer(secret) | {"X-API-Key": wrong}),
            call("/metrics", headers=bearer(secret)),
            call("/readyz", headers=bearer(secret)),
            call("/nowhere", headers=bearer(secret)),
            call("/api/upload", method="POST", headers=bearer(secret)),
        ]
        work()
        answers.append(call(answers[0].location, headers=bearer(secret)))
    shown = [caplog.text, *(f"{answer.headers}{answer.text}" for answer in answers)]
    shown += map(repr, (settings, Client("http://shop.example", key=secret), *list_keys()))
    shown += map(repr, vars(current_app.extensions["services"]).values())
    hidden = [secret, wrong, settings.webhook_secret, environ["S3_SECRET_ACCESS_KEY"], settings.redis_url]
    assert [(each[:12], text[:40]) for each in hidden for text in shown if each in text] == []


def test_a_database_error_does_not_show_its_parameters() -> None:
    """Errors are logged, and parameters hold names, URLs with passwords and hashes of keys."""
    with pytest.raises(DBAPIError) as error, transaction() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere WHERE url = :url"), {"url": "https://u:pass@word"})
    assert "nowhere" in str(error.value)
    assert "pass@word" not in str(error.value)
