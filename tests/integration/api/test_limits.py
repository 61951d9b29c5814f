"""Rate limits and quotas: which callers are counted together, what is not counted, and what happens without Redis."""

from __future__ import annotations

import io
import re
import uuid
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, current_app
from limits import parse

from imgproc.api import rate_limits
from imgproc.api.api_keys import create_key
from imgproc.core.config import SettingsSchema
from imgproc.core.hosts import receiver_of
from imgproc.db.dialects import db_now
from imgproc.db.engine import db, transaction
from imgproc.db.models import ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import DeliveryStatus, RequestStatus
from imgproc.db.transitions import deliveries, delivery_crowds
from imgproc.journey import jobs
from imgproc.queue import connection as queue_connection
from imgproc.queue import enqueue
from imgproc.queue.calls import JobName, job_id
from imgproc.worker import sweeper
from tests.integration.api.answers import UNKNOWN, UNREACHABLE, AppFactory, problem
from tests.integration.driver import at_once, configure, drain, pass_time, post, rows, work
from tests.integration.driver import upload as upload_here
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

CSV = csv_of("https://shop.example/1.jpg")

pytestmark = pytest.mark.usefixtures("app")
on_one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def read(app: Flask, *, address: str = "198.51.100.7", key: str | None = None, path: str = "/api/requests") -> Any:
    """Make one read from an address."""
    headers = {"X-API-Key": key} if key else {}
    return app.test_client().get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address}, buffered=True)


def upload(app: Flask) -> Any:
    """Make one upload."""
    form = {"file": (io.BytesIO(CSV.encode()), "products.csv")}
    return app.test_client().post("/api/upload", data=form)


@on_one_database
def test_answers_429_above_the_limit_and_says_when_to_retry(make_app: AppFactory) -> None:
    """`rate_limited` comes with `Retry-After`; reads and uploads have separate limits."""
    app = make_app(RATE_LIMIT_READS="3/hour", RATE_LIMIT_UPLOADS="1/hour")
    assert [read(app).status_code for _ in range(4)] == [200, 200, 200, 429]
    over = read(app)
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
        pytest.param("2001:db8::1", "2001:db8::ffff:2", True, id="two addresses of one IPv6 subscriber"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two IPv6 subscribers"),
        pytest.param("fe80::1%eth0", "fe80::2", True, id="a zone id"),
        pytest.param("", "", True, id="a socket file"),
        pytest.param("::ffff:198.51.100.7", "198.51.100.7", True, id="IPv4 on a socket for both families"),
        pytest.param("::ffff:198.51.100.7", "::ffff:198.51.100.8", False, id="two IPv4 addresses on such a socket"),
        pytest.param("198.51.100.7:1", "198.51.100.7:2", False, id="addresses with ports, from a proxy"),
        pytest.param("nobody: [", "nobody: [", True, id="no address, from a proxy"),
    ],
)
def test_counts_callers_without_a_key_by_address(make_app: AppFactory, first: str, second: str, together: bool) -> None:
    """An IPv6 subscriber has a whole /64, so the limit counts by /64."""
    app = make_app(RATE_LIMIT_READS="1/hour")
    assert read(app, address=first).status_code == 200
    assert read(app, address=second).status_code == (429 if together else 200)


@on_one_database
def test_counts_a_key_by_itself_whatever_its_address(make_app: AppFactory) -> None:
    """Two keys behind one address have separate limits; invalid keys count with the address."""
    app = make_app(RATE_LIMIT_READS="1/hour", API_KEYS_REQUIRED="true")
    with app.app_context():
        keys = create_key("one"), create_key("two")
    assert [read(app, key=key).status_code for key in keys] == [200, 200]
    problem(read(app, key=keys[0], address="198.51.100.9"), 429, "rate_limited")
    assert [read(app, key=f"imgproc_{'x' * 42}{guess}").status_code for guess in range(3)] == [401, 429, 429]


@on_one_database
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/static/swagger-ui/start.js"])
def test_open_routes_have_no_limit(make_app: AppFactory, path: str) -> None:
    """Health checks may come every second."""
    app = make_app(RATE_LIMIT_READS="1/hour")
    for _ in range(3):
        assert read(app, path=path).status_code == 200


@on_one_database
def test_counts_in_redis_for_all_processes_together(make_app: AppFactory) -> None:
    """Two apps share one count, as two web processes do."""
    one, two = (make_app(RATE_LIMIT_READS="1/hour") for _ in range(2))
    assert [read(app).status_code for app in (one, two)] == [200, 429]


@on_one_database
def test_each_process_counts_by_itself_while_redis_is_down(
    make_app: AppFactory, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis refuses or never answers: uploads are accepted, and each caller is still limited."""
    monkeypatch.setattr(queue_connection, "PATIENCE", 0.2)
    monkeypatch.setattr(rate_limits, "PATIENCE", 0.2)
    for address in (UNREACHABLE, silent):
        app = make_app(REDIS_URL=f"redis://{address}/0", RATE_LIMIT_READS="2/hour")
        assert upload(app).status_code == 202
        assert [read(app).status_code for _ in range(3)] == [200, 200, 429]


@on_one_database
def test_concurrent_calls_are_answered_while_redis_is_down(make_app: AppFactory) -> None:
    """No caller sees the outage."""
    app = make_app(REDIS_URL=f"redis://{UNREACHABLE}/0")
    answers = at_once(*[lambda: read(app)] * 8)
    assert {answer.status_code for answer in answers} == {200}


@on_one_database
@pytest.mark.parametrize(
    ("setting", "a_second"), [("RATE_LIMIT_UPLOADS", 10), ("RATE_LIMIT_ACTIONS", 10), ("RATE_LIMIT_READS", 100)]
)
def test_the_defaults_are_generous(setting: str, a_second: int) -> None:
    """Polling many requests every second, or uploading several files a second, is never limited."""
    limit = parse(SettingsSchema().fields[setting].load_default)
    assert limit.amount / limit.get_expiry() >= a_second


# -- the quota ----------------------------------------------------------------------------------------------------


def test_refuses_an_upload_while_too_many_requests_are_open() -> None:
    """Uploads and retries get 429 `quota_exceeded`, replays and other owners do not; ended requests make room."""
    configure(max_open_requests=2)
    order = {"Idempotency-Key": "order 7"}
    ids = [upload_here(CSV, headers=headers).json["requestId"] for headers in (order, {})]
    over = upload_here(CSV)
    problem(over, 429, "quota_exceeded")
    assert int(over.headers["Retry-After"]) > 0
    assert upload_here(CSV, headers=order).json["requestId"] == ids[0]
    assert upload_here(CSV, headers={"X-API-Key": create_key("other")}).status_code == 202
    for request_id in ids:
        post(f"/api/requests/{request_id}/cancel")
        drain(request_id)
    assert upload_here(CSV).status_code == 202
    assert post(f"/api/requests/{ids[0]}/retry").status_code == 202
    problem(post(f"/api/requests/{ids[1]}/retry"), 429, "quota_exceeded")


@on_one_database
def test_limits_each_action_apart_from_reads_and_uploads(make_app: AppFactory) -> None:
    """An action on an unknown request counts too."""
    app = make_app(RATE_LIMIT_ACTIONS="1/hour")
    actions = [
        ("POST", f"/api/requests/{UNKNOWN}/cancel"),
        ("POST", f"/api/requests/{UNKNOWN}/retry"),
        ("POST", f"/api/requests/{UNKNOWN}/deliveries/{UNKNOWN}/redeliver"),
        ("DELETE", f"/api/requests/{UNKNOWN}"),
    ]
    client = app.test_client()
    for method, path in actions:
        assert client.open(path, method=method).status_code == 404
        over = client.open(path, method=method)
        problem(over, 429, "rate_limited")
        assert 0 < int(over.headers["Retry-After"]) <= 3601
    assert [read(app).status_code for _ in range(3)] == [200] * 3
    assert [upload(app).status_code for _ in range(3)] == [202] * 3


@on_one_database
def test_every_route_that_changes_something_has_a_limit(make_app: AppFactory) -> None:
    """A route added later has one too."""
    app = make_app(RATE_LIMIT_ACTIONS="1/hour", RATE_LIMIT_UPLOADS="1/hour")
    client, limited = app.test_client(), 0
    for rule in app.url_map.iter_rules():
        path = re.sub("<[^>]+>", UNKNOWN, rule.rule)
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}:
            client.open(path, method=method)
            problem(client.open(path, method=method), 429, "rate_limited")
            limited += 1
    assert limited >= 6


# -- webhooks -----------------------------------------------------------------------------------------------------


def delivered(shop: ImageHost, *, headers: dict[str, str] | None = None) -> str:
    """Deliver a webhook; the path that delivers it again."""
    file = csv_of(f"{shop.url}/chelsea.jpg")
    request_id = upload_here(file, headers=headers, webhookUrl=f"{shop.url}/webhook").json["requestId"]
    work()
    (delivery,) = (each for each in rows(WebhookDelivery) if each.request_id == request_id)
    return f"/api/requests/{request_id}/deliveries/{delivery.id}/redeliver"


def test_refuses_to_redeliver_while_too_many_deliveries_are_open(shop: ImageHost) -> None:
    """An ended delivery gets 429 `quota_exceeded`; a pending one may be hurried; other owners are not affected."""
    first, second = delivered(shop), delivered(shop)
    key = {"X-API-Key": create_key("other")}
    others = delivered(shop, headers=key)
    configure(max_open_deliveries=1)
    assert post(first).status_code == 202
    over = post(second)
    problem(over, 429, "quota_exceeded")
    assert int(over.headers["Retry-After"]) > 0
    assert post(first).status_code == 202
    assert current_app.test_client().post(others, headers=key).status_code == 202
    work()
    assert post(second).status_code == 202


def _due(owner: str, number: int, *, receiver: str | None = None) -> list[str]:
    """Insert this many due deliveries of the owner, each to a receiver of its own unless one is given; their ids."""
    requests: list[dict[str, Any]] = []
    due: list[dict[str, Any]] = []
    for _ in range(number):
        request_id = str(uuid.uuid4())
        requests.append({"id": request_id, "owner": owner, "status": RequestStatus.COMPLETED, **REQUEST})
        due.append({"id": str(uuid.uuid4()), "request_id": request_id, **DELIVERY})
        due[-1]["receiver"] = receiver or f"{due[-1]['id']}.example:80"
    with transaction() as connection:
        connection.execute(sa.insert(ProcessingRequest), requests)
        connection.execute(sa.insert(WebhookDelivery).values(next_attempt_at=db_now()), due)
    return [each["id"] for each in due]


REQUEST = {"filename": "a.csv", "input_key": "", "options": {}, "fingerprint": ""}
DELIVERY = {"finalize_epoch": 1, "url": "http://shop.example/", "payload": {"type": "x"}}
DELIVERY |= {"status": DeliveryStatus.PENDING}


def _claim(delivery_id: str) -> bool:
    claimed = deliveries.claim(
        delivery_id, token=delivery_id[:32], lease_seconds=30, most_of_owner=3, most_of_receiver=2
    )
    return claimed is not None


def test_limits_the_concurrent_deliveries_of_an_owner() -> None:
    """A receiver that never answers holds three workers here; deliveries of other owners can still be claimed."""
    slow, other = _due("slow", 5), _due("", 1)
    assert [_claim(each) for each in slow] == [True, True, True, False, False]
    assert [_claim(each) for each in other] == [True]
    outcome = deliveries.Outcome(DeliveryStatus.DELIVERED, duration_ms=1)
    assert deliveries.record(slow[0], outcome, token=slow[0][:32])
    assert [_claim(each) for each in slow[3:]] == [True, False]
    pass_time(31)  # the leases of the dead senders expire
    assert _claim(slow[4])


def test_deliveries_of_one_owner_do_not_crowd_out_the_others() -> None:
    """Deliveries beyond an owner's share are postponed, so that a sweep reaches those of other owners."""
    crowd = _due("slow", 40)
    pass_time(1)
    others = _due("", 2) + _due("third", 1)
    assert delivery_crowds.postpone(most_of_owner=1, most_of_receiver=9, delay=15, limit=40) == 40 - 16
    assert delivery_crowds.postpone(most_of_owner=1, most_of_receiver=9, delay=15, limit=40) == 0
    with db.engine.connect() as connection:
        due = sa.select(WebhookDelivery.id).where(WebhookDelivery.next_attempt_at <= db_now())
        found = set(connection.execute(due).scalars())
    assert (len(found & set(crowd)), found - set(crowd)) == (16, set(others))
    pass_time(15)
    assert all(_claim(each) for each in crowd[-3:])


def test_a_sweep_enqueues_a_few_deliveries_of_each_owner() -> None:
    """Later sweeps enqueue the rest."""
    configure(deliveries_at_once=1)
    crowd, others = _due("slow", 40), _due("", 3)
    sweeper.sweep()
    waiting = enqueue.waiting()
    assert sum(job_id(JobName.DELIVER, (each,)) in waiting for each in crowd) == 16
    assert all(job_id(JobName.DELIVER, (each,)) in waiting for each in others)


def test_limits_the_concurrent_deliveries_to_a_receiver() -> None:
    """The webhooks of many owners cost one receiver no more than those of one; an owner's others go elsewhere."""
    victim = [_due(f"owner-{number}", 1, receiver="victim.example:443")[0] for number in range(4)]
    other = _due("owner-0", 1)
    assert [_claim(each) for each in [*victim, *other]] == [True, True, False, False, True]
    outcome = deliveries.Outcome(DeliveryStatus.DELIVERED, duration_ms=1)
    assert deliveries.record(victim[0], outcome, token=victim[0][:32])
    assert [_claim(each) for each in victim[2:]] == [True, False]


def test_claims_at_the_same_moment_do_not_exceed_the_limits() -> None:
    """Each claim sees those before it, on PostgreSQL too."""
    victim = [_due(f"owner-{number}", 1, receiver="victim.example:443")[0] for number in range(8)]
    assert sum(at_once(*(partial(_claim, each) for each in victim))) == 2
    assert sum(at_once(*(partial(_claim, each) for each in _due("owner", 8)))) == 3


def test_deliveries_to_one_receiver_do_not_crowd_out_the_others() -> None:
    """Those beyond its share are postponed, whoever they are from."""
    crowd = [_due(f"owner-{number}", 1, receiver="victim.example:443")[0] for number in range(20)]
    pass_time(1)
    other = _due("owner-0", 1)
    assert delivery_crowds.postpone(most_of_owner=9, most_of_receiver=1, delay=15, limit=40) == 20 - 16
    sweeper.sweep()
    waiting = enqueue.waiting()
    assert sum(job_id(JobName.DELIVER, (each,)) in waiting for each in crowd) == 16
    assert job_id(JobName.DELIVER, (other[0],)) in waiting


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        pytest.param("https://Shop.Example/hook?a=1", "shop.example:443", id="the port of https"),
        pytest.param("http://shop.example", "shop.example:80", id="the port of http"),
        pytest.param("https://user:secret@shop.example.:8443/", "shop.example:8443", id="a port"),
        pytest.param("http://[::1]:80/", "[::1]:80", id="an address"),
        pytest.param("https://b\u00fccher.example/", "xn--bcher-kva.example:443", id="an international name"),
        pytest.param("https://" + "a" * 900, "a" * 300, id="too long"),
        pytest.param("https://[broken/", "", id="no URL"),
    ],
)
def test_a_receiver_is_the_same_however_its_url_is_written(url: str, receiver: str) -> None:
    """Neither paths nor spelling give more than one share of the limit."""
    assert receiver_of(url) == receiver


def test_a_silent_receiver_holds_at_most_half_of_the_workers(shop: ImageHost) -> None:
    """One of two workers stays free for other webhooks, whatever DELIVERIES_AT_ONCE says."""
    configure(delivery_workers=2)
    slow = _due("slow", 2)
    assert deliveries.claim(slow[0], token="held", lease_seconds=30)
    jobs.deliver(slow[1])
    assert [each.status for each in rows(WebhookDelivery) if each.id == slow[1]] == [DeliveryStatus.PENDING]


def test_a_delivery_over_the_limit_is_not_enqueued_by_every_sweep() -> None:
    """Otherwise the workers would only claim deliveries in vain while a receiver never answers."""
    configure(delivery_workers=2)
    slow = _due("slow", 8)
    assert deliveries.claim(slow[0], token="held", lease_seconds=60)
    sweeper.sweep()
    work()
    sweeper.sweep()
    assert not enqueue.waiting()
    pass_time(6)
    sweeper.sweep()
    assert len(enqueue.waiting()) == 7
