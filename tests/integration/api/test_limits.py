"""Rate limits and the quota: who is counted with whom, what is never counted, and that no outage refuses anybody."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from limits import parse

from imgproc.config import SettingsSchema
from imgproc.keys import create_key
from tests.integration.api.answers import NOBODY, AppFactory, problem
from tests.integration.driver import at_once, configure, csv_of, drain, post
from tests.integration.driver import upload as upload_here

CSV = csv_of("https://shop.example/1.jpg")

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def look(app: Flask, *, address: str = "198.51.100.7", key: str | None = None, path: str = "/api/requests") -> Any:
    """One look from an address."""
    headers = {"X-API-Key": key} if key else {}
    return app.test_client().get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address}, buffered=True)


def upload(app: Flask) -> Any:
    """One upload."""
    form = {"file": (io.BytesIO(CSV.encode()), "products.csv")}
    return app.test_client().post("/api/upload", data=form)


@on_one_database
def test_answers_429_above_the_limit_and_says_when_to_go_on(make_app: AppFactory) -> None:
    """`rate_limited` with `Retry-After`; the limits of looks and uploads are two."""
    app = make_app(RATE_LIMIT_READS="3/hour", RATE_LIMIT_UPLOADS="1/hour")
    assert [look(app).status_code for _ in range(4)] == [200, 200, 200, 429]
    over = look(app)
    problem(over, 429, "rate_limited")
    assert 0 < int(over.headers["Retry-After"]) <= 3601
    assert upload(app).status_code == 202
    problem(upload(app), 429, "rate_limited")


@on_one_database
@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        pytest.param("198.51.100.7", "198.51.100.7", True, id="the same address"),
        pytest.param("198.51.100.7", "198.51.100.8", False, id="another address"),
        pytest.param("2001:db8::1", "2001:db8::ffff:2", True, id="two of one IPv6 subscriber"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two IPv6 subscribers"),
        pytest.param("fe80::1%eth0", "fe80::2", True, id="a zone id"),
        pytest.param("", "", True, id="a socket file"),
        pytest.param("::ffff:198.51.100.7", "198.51.100.7", True, id="IPv4 on a socket for both families"),
        pytest.param("::ffff:198.51.100.7", "::ffff:198.51.100.8", False, id="two of IPv4 on such a socket"),
        pytest.param("198.51.100.7:1", "198.51.100.7:2", False, id="what a proxy says with ports"),
        pytest.param("nobody: [", "nobody: [", True, id="what a proxy says that is no address"),
    ],
)
def test_counts_callers_without_a_key_by_address(make_app: AppFactory, first: str, second: str, together: bool) -> None:
    """An IPv6 subscriber commands a whole /64."""
    app = make_app(RATE_LIMIT_READS="1/hour")
    assert look(app, address=first).status_code == 200
    assert look(app, address=second).status_code == (429 if together else 200)


@on_one_database
def test_counts_a_key_by_itself_wherever_it_comes_from(make_app: AppFactory) -> None:
    """Two keys behind one address do not disturb each other; wrong ones count with the address."""
    app = make_app(RATE_LIMIT_READS="1/hour", API_KEYS_REQUIRED="true")
    with app.app_context():
        keys = create_key("one"), create_key("two")
    assert [look(app, key=key).status_code for key in keys] == [200, 200]
    problem(look(app, key=keys[0], address="198.51.100.9"), 429, "rate_limited")
    assert [look(app, key=f"imgproc_{'x' * 42}{guess}").status_code for guess in range(3)] == [401, 429, 429]


@on_one_database
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/static/swagger-ui/start.js"])
def test_never_counts_what_is_open(make_app: AppFactory, path: str) -> None:
    """A probe every second is nobody's flood."""
    app = make_app(RATE_LIMIT_READS="1/hour")
    for _ in range(3):
        assert look(app, path=path).status_code == 200


@on_one_database
def test_counts_in_redis_for_all_processes_together(make_app: AppFactory) -> None:
    """Two apps, as two web processes."""
    one, two = (make_app(RATE_LIMIT_READS="1/hour") for _ in range(2))
    assert [look(app).status_code for app in (one, two)] == [200, 429]


@on_one_database
def test_while_redis_is_away_each_process_counts_by_itself(make_app: AppFactory, silent: str) -> None:
    """Refused connections or silence: uploads are accepted, and one caller still cannot flood."""
    for address in (NOBODY, silent):
        app = make_app(REDIS_URL=f"redis://{address}/0", RATE_LIMIT_READS="2/hour")
        assert upload(app).status_code == 202
        assert [look(app).status_code for _ in range(3)] == [200, 200, 429]


@on_one_database
def test_many_that_find_redis_away_at_once_are_all_answered(make_app: AppFactory) -> None:
    """None is told of the outage."""
    app = make_app(REDIS_URL=f"redis://{NOBODY}/0")
    answers = at_once(*[lambda: look(app)] * 8)
    assert {answer.status_code for answer in answers} == {200}


@on_one_database
@pytest.mark.parametrize(
    ("setting", "a_second"), [pytest.param("RATE_LIMIT_UPLOADS", 10, id="uploads"), ("RATE_LIMIT_READS", 100)]
)
def test_the_defaults_are_generous(setting: str, a_second: int) -> None:
    """Polling many requests every second, or uploading several files a second, is never limited."""
    limit = parse(SettingsSchema().fields[setting].load_default)
    assert limit.amount / limit.get_expiry() >= a_second


# -- the quota ----------------------------------------------------------------------------------------------------


def test_refuses_an_upload_while_too_many_requests_are_open() -> None:
    """429 `quota_exceeded`, also for a retry; a replay is answered, another key is not concerned, ends make room."""
    configure(max_open_requests=2)
    again = {"Idempotency-Key": "order 7"}
    ids = [upload_here(CSV, headers=headers).json["requestId"] for headers in (again, {})]
    over = upload_here(CSV)
    problem(over, 429, "quota_exceeded")
    assert int(over.headers["Retry-After"]) > 0
    assert upload_here(CSV, headers=again).json["requestId"] == ids[0]
    assert upload_here(CSV, headers={"X-API-Key": create_key("other")}).status_code == 202
    for request_id in ids:
        post(f"/api/requests/{request_id}/cancel")
        drain(request_id)
    assert upload_here(CSV).status_code == 202
    assert post(f"/api/requests/{ids[0]}/retry").status_code == 202
    problem(post(f"/api/requests/{ids[1]}/retry"), 429, "quota_exceeded")
