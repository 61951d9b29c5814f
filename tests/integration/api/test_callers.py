"""API keys: who is let in, who is not, that each sees their own alone, and that no secret shows anywhere."""

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
from imgproc.db.engine import transaction
from imgproc.db.models import ApiKey, ProcessingRequest
from tests.integration.api.answers import NOBODY, UNKNOWN, AppFactory, away, problem
from tests.integration.driver import configure, pass_time, row, rows, work
from tests.support.csv_files import csv_of

CSV = csv_of("https://shop.example/1.jpg")
NEVER_MADE = "imgproc_" + "A" * 43

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def bearer(secret: str) -> dict[str, str]:
    """The header a caller with this key sends."""
    return {"Authorization": f"Bearer {secret}"}


def call(path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **options: Any) -> Any:
    """One call with these headers."""
    return current_app.test_client().open(path, method=method, headers=headers, **options)


def upload(headers: dict[str, str] | None = None) -> Any:
    """Upload the file."""
    form = {"file": (io.BytesIO(CSV.encode()), "products.csv")}
    return call("/api/upload", method="POST", headers=headers, data=form)


def listed(headers: dict[str, str] | None = None) -> set[str]:
    """The ids of the requests this caller sees."""
    return {item["requestId"] for item in call("/api/requests", headers=headers).json["items"]}


@pytest.fixture
def secret(app: Flask) -> str:  # after the app has noted what to restore
    """A key, where keys are required."""
    configure(api_keys_required=True)
    return create_key("shop")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda key: {"Authorization": f"Bearer {key}"}, id="bearer"),
        pytest.param(lambda key: {"Authorization": f"bearer  {key} "}, id="bearer, written another way"),
        pytest.param(lambda key: {"X-API-Key": key}, id="X-API-Key"),
        pytest.param(lambda key: {"Authorization": f"Bearer {key}", "X-API-Key": key}, id="both, the same"),
        pytest.param(lambda key: {"Authorization": "Basic eDp5", "X-API-Key": key}, id="beside a proxy's password"),
    ],
)
def test_lets_in_who_shows_a_key(secret: str, headers: Callable[[str], dict[str, str]]) -> None:
    """In either header."""
    assert call("/api/requests", headers=headers(secret)).status_code == 200
    assert upload(headers(secret)).status_code == 202


@on_one_database
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param(lambda _: {}, "missing_api_key", id="none"),
        pytest.param(lambda key: {"Cookie": f"key={key}"}, "missing_api_key", id="in a cookie"),
        pytest.param(lambda key: {"Authorization": f"Basic {key}"}, "missing_api_key", id="another scheme"),
        pytest.param(lambda key: {"Authorization": key}, "missing_api_key", id="without a scheme"),
        pytest.param(lambda _: {"Authorization": "Bearer"}, "invalid_api_key", id="an empty one"),
        pytest.param(lambda _: {"X-API-Key": ""}, "invalid_api_key", id="another empty one"),
        pytest.param(lambda _: bearer(NEVER_MADE), "invalid_api_key", id="never made"),
        pytest.param(lambda key: bearer(key[:-1]), "invalid_api_key", id="cut short"),
        pytest.param(lambda key: bearer(key + "A"), "invalid_api_key", id="with something behind"),
        pytest.param(lambda key: bearer(key.swapcase()), "invalid_api_key", id="in another case"),
        pytest.param(lambda key: bearer(key.removeprefix("imgproc_")), "invalid_api_key", id="without its prefix"),
        pytest.param(lambda _: bearer(list_keys()[0].secret_hash), "invalid_api_key", id="the stored hash"),
        pytest.param(lambda _: bearer(list_keys()[0].prefix), "invalid_api_key", id="the shown prefix"),
        pytest.param(lambda _: bearer("imgproc_' OR ''='"), "invalid_api_key", id="SQL"),
        pytest.param(lambda _: {"X-API-Key": "imgproc_" + "é" * 43}, "invalid_api_key", id="no ASCII"),
        pytest.param(lambda _: bearer("A" * 8000), "invalid_api_key", id="an endless one"),
        pytest.param(lambda key: bearer(key) | {"X-API-Key": NEVER_MADE}, "invalid_api_key", id="two that differ"),
    ],
)
def test_refuses_who_shows_none_or_a_wrong_one(
    secret: str, headers: Callable[[str], dict[str, str]], code: str
) -> None:
    """401 with a challenge, before anything is read or kept."""
    for response in (call("/api/requests", headers=headers(secret)), upload(headers(secret))):
        problem(response, 401, code)
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="imgproc"')
    problem(call(f"/api/requests?api_key={secret}", headers=headers(secret)), 401, code)
    assert rows(ProcessingRequest) == []


@on_one_database
def test_every_address_asks_for_a_key_but_those_that_show_nobodys_data(secret: str) -> None:
    """Whatever route is added asks too, unless it is named among the open ones."""
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
def test_a_revoked_key_stops_at_once(secret: str) -> None:
    """Its requests go on, and stay its own."""
    request_id = upload(bearer(secret)).json["requestId"]
    assert revoke_key(secret[:14]) == "shop"
    problem(call(f"/api/status/{request_id}", headers=bearer(secret)), 401, "invalid_api_key")
    other = create_key("shop")  # of the same name
    problem(call(f"/api/status/{request_id}", headers=bearer(other)), 404, "request_not_found")


def test_each_sees_their_own_requests_alone(secret: str) -> None:
    """Two keys; and callers without one, while keys are optional."""
    configure(api_keys_required=False)
    other = create_key("other shop")
    everybody: list[dict[str, str]] = [bearer(secret), bearer(other), {}]
    own = [upload(headers).json["requestId"] for headers in everybody]
    assert [listed(headers) for headers in everybody] == [{request_id} for request_id in own]
    configure(api_keys_required=True)
    assert listed(bearer(secret)) == {own[0]}


OF_A_REQUEST = [
    ("GET", "/api/status/{}"),
    ("GET", "/api/requests/{}/products"),
    ("GET", "/api/requests/{}/output.csv"),
    ("GET", "/api/requests/{}/failed.csv"),
    ("GET", "/api/requests/{}/deliveries"),
    ("POST", "/api/requests/{}/cancel"),
    ("POST", "/api/requests/{}/retry"),
    ("POST", "/api/requests/{}/deliveries/" + UNKNOWN + "/redeliver"),
    ("DELETE", "/api/requests/{}"),
]


@on_one_database
def test_knows_every_address_of_a_request() -> None:
    """The table of the next test is whole."""
    known = {path.format("<request_id>").replace(UNKNOWN, "<delivery_id>") for _, path in OF_A_REQUEST}
    assert known == {rule.rule for rule in current_app.url_map.iter_rules() if "request_id" in rule.arguments}


@on_one_database
@pytest.mark.parametrize(("method", "path"), OF_A_REQUEST)
def test_anothers_request_is_answered_as_one_that_never_was(secret: str, method: str, path: str) -> None:
    """Word for word, and nothing happens to it."""
    request_id = upload(bearer(secret)).json["requestId"]
    other = bearer(create_key("other"))
    before = row(ProcessingRequest)
    answers = [call(path.format(known), method=method, headers=other) for known in (request_id, str(uuid.uuid4()))]
    assert [answer.json for answer in answers] == [problem(answers[0], 404, "request_not_found")] * 2
    assert row(ProcessingRequest) == before


@on_one_database
def test_an_idempotency_key_belongs_to_the_caller(secret: str) -> None:
    """The same one of two callers names two requests; of one, one."""
    other = create_key("other")
    again = {"Idempotency-Key": "order 7"}
    first, same, others = (upload(bearer(key) | again) for key in (secret, secret, other))
    assert same.json["requestId"] == first.json["requestId"] != others.json["requestId"]
    assert (same.headers.get("Idempotent-Replayed"), others.headers.get("Idempotent-Replayed")) == ("true", None)


@on_one_database
def test_while_keys_are_optional_a_wrong_one_is_refused_all_the_same() -> None:
    """A caller who means to be somebody is not taken for nobody."""
    assert upload().status_code == 202
    problem(upload(bearer(NEVER_MADE)), 401, "invalid_api_key")
    assert len(rows(ProcessingRequest)) == 1


def test_a_key_is_random_and_only_its_hash_is_kept() -> None:
    """256 bits after the prefix; no column holds them, nor any longer part of them than the list shows."""
    secret = create_key("shop")
    assert SHAPE.fullmatch(secret)
    assert secret != create_key("shop")
    (kept,) = (key for key in rows(ApiKey) if secret.startswith(key.prefix))
    assert len(kept.prefix) == 14
    assert not [value for value in kept if secret[:15] in str(value)]


def test_the_use_of_a_key_is_noted_to_the_hour(secret: str) -> None:
    """So that a call costs no write."""

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
def test_without_the_database_nobody_is_let_in(make_app: AppFactory) -> None:
    """503 rather than an open door; without a key it is still 401; health answers."""
    client = make_app(API_KEYS_REQUIRED="true", DATABASE_URL=f"postgresql://imgproc:x@{NOBODY}/imgproc").test_client()
    away(client.get("/api/requests", headers=bearer(NEVER_MADE)), "database_unavailable")
    problem(client.get("/api/requests"), 401, "missing_api_key")
    assert client.get("/healthz", headers=bearer(NEVER_MADE)).status_code == 200


@on_one_database
def test_the_document_names_both_ways_to_give_a_key(make_app: AppFactory) -> None:
    """`security` is required or optional, as the setting says; open addresses need none."""
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
    """Neither the caller's key, good or wrong, nor any secret of the server, whatever goes well or badly."""
    settings = current_app.extensions["services"].settings
    wrong = NEVER_MADE[:-4] + "Zq9x"
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


def test_what_fails_in_the_database_does_not_say_with_which_values() -> None:
    """They would be in the logs: names, addresses with passwords, hashes of keys."""
    with pytest.raises(DBAPIError) as error, transaction() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere WHERE url = :url"), {"url": "https://u:pass@word"})
    assert "nowhere" in str(error.value)
    assert "pass@word" not in str(error.value)
