"""A job that kills every worker fails after a few attempts, with a reason, and affects no other job."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from redis.exceptions import ResponseError
from sqlalchemy.exc import IntegrityError, OperationalError

from imgproc.core.errors import QueueUnavailable, StorageUnavailable
from imgproc.db.engine import transaction
from imgproc.db.models import DeliveryAttempt, ProcessingRequest, Product, WebhookDelivery
from imgproc.db.transitions import deliveries, finalization, products, requests
from imgproc.journey import delete, jobs, output_files, plan, turns
from imgproc.journey.lease import new_token, stopping
from imgproc.journey.services import Services
from imgproc.queue import enqueue, fair_order
from imgproc.queue.connection import redis_client
from imgproc.worker import expired_leases, sweeper
from tests.integration.driver import (
    burst,
    drain,
    get,
    lose_queue,
    pass_time,
    planned,
    post,
    queued_jobs,
    row,
    rows,
    status_of,
    submit,
    work,
)
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app", "finalized_by_jobs")

ANY_ID = "6e1f2f0c-6f0b-4b55-9d5c-0c1d9f0a7e11"


def upload_of(shop: ImageHost, *, products: int = 1) -> str:
    """Submit a file with a webhook URL; the sweeper has already seen this Redis."""
    sweeper.sweep()
    return submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * products), webhookUrl=f"{shop.url}/webhook")


def die_planning(request_id: str) -> None:
    """A worker claims the plan and dies."""
    assert requests.claim_plan(request_id, token=new_token(), lease_seconds=30, alone=row(ProcessingRequest).alone)


def die_finalizing(request_id: str) -> None:
    """A worker claims the finalization and dies."""
    epoch, alone = row(ProcessingRequest).finalize_epoch, row(ProcessingRequest).alone
    assert finalization.claim_finalize(request_id, epoch=epoch, token=new_token(), lease_seconds=30, alone=alone)


def die_delivering(_request_id: str) -> None:
    """A worker claims the delivery and dies."""
    assert deliveries.claim(row(WebhookDelivery).id, token=new_token(), lease_seconds=30)


def kill_workers(times: int, die: Callable[[str], None], request_id: str) -> None:
    """Let `times` workers die one after the other, with a sweep after each. The first may have died of other work."""
    for _ in range(times):
        die(request_id)
        lose_queue()
        pass_time(60)
        sweeper.sweep()


# -- plan ---------------------------------------------------------------------------------------------------------


def test_a_plan_that_kills_its_workers_fails_the_request(shop: ImageHost) -> None:
    """After three deaths the request fails with a reason and a remedy, and the webhook is delivered."""
    request_id = upload_of(shop)
    kill_workers(1 + 3, die_planning, request_id)
    status = status_of(request_id)
    assert (status["status"], status["error"]["code"]) == ("failed", "plan_failed")
    assert "Split it into smaller files" in status["error"]["detail"]
    work()
    assert status_of(request_id)["webhook"]["status"] == "delivered"
    assert queued_jobs() == []


def test_a_plan_that_failed_twice_succeeds_on_the_third_attempt(shop: ImageHost) -> None:
    """Two deaths leave a third attempt, and the next step starts with a count of its own."""
    request_id = upload_of(shop)
    kill_workers(1 + 2, die_planning, request_id)
    assert row(ProcessingRequest).attempt == 2
    assert queued_jobs() == [f"plan-{request_id}"]
    assert drain(request_id)["status"] == "completed"


def test_a_failed_plan_is_retried_from_where_it_stopped(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The saved products stay, and the retry allows three more attempts."""
    monkeypatch.setattr(plan, "PLAN_CHUNK", 1)
    request_id = upload_of(shop, products=3)
    add_products, saved = requests.add_products, iter(range(2))

    def stumble(*arguments: Any, **options: Any) -> None:
        if next(saved, None) is None:
            raise MemoryError
        add_products(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(requests, "add_products", stumble)
        for _ in range(1 + 3):
            burst()
            pass_time(60)
            sweeper.sweep()
    assert status_of(request_id)["error"]["code"] == "plan_failed"
    assert len(rows(Product)) == 2
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    status = drain(request_id)
    assert (status["status"], status["error"]) == ("completed", None)
    assert shop.asked["/chelsea.jpg"] == 3


def test_a_late_plan_does_not_revive_a_failed_request(shop: ImageHost) -> None:
    """The lease of the planning worker ends when the request fails."""
    request_id = upload_of(shop)
    kill_workers(1 + 2, die_planning, request_id)
    assert requests.claim_plan(request_id, token="late", lease_seconds=30, alone=True)
    pass_time(60)
    sweeper.sweep()
    assert not requests.renew_lease(request_id, token="late", lease_seconds=30)
    requests.mark_planned(request_id, token="late")
    assert (status_of(request_id)["status"], row(ProcessingRequest).planned_at) == ("failed", None)


# -- finalize -----------------------------------------------------------------------------------------------------


def test_a_finalization_that_kills_its_workers_fails_the_request(shop: ImageHost) -> None:
    """The images are kept, and the API still lists each with its address."""
    request_id = upload_of(shop)
    work(most=2)
    kill_workers(1 + 3, die_finalizing, request_id)
    status = status_of(request_id)
    assert (status["status"], status["error"]["code"]) == ("failed", "finalize_failed")
    assert (status["progress"]["images"]["completed"], status["outputCsvUrl"]) == (1, None)
    assert get(f"/api/requests/{request_id}/products")["items"][0]["images"][0]["outputUrl"]
    work()
    assert status_of(request_id)["webhook"]["status"] == "delivered"


def test_a_failed_finalization_can_be_retried(shop: ImageHost) -> None:
    """The retry writes the missing output CSV and makes no image again."""
    request_id = upload_of(shop)
    work(most=2)
    kill_workers(1 + 3, die_finalizing, request_id)
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    status = drain(request_id)
    assert (status["status"], status["error"], shop.asked["/chelsea.jpg"]) == ("completed", None, 1)
    assert status["outputCsvUrl"]
    assert post(f"/api/requests/{request_id}/retry").status_code == 409


def test_a_retry_that_fails_to_finalize_shows_no_older_output(shop: ImageHost) -> None:
    """The first output CSV is out of date after the retry, so the status does not show it."""
    url = shop.says("/late.jpg", Answer(404))
    sweeper.sweep()
    request_id = submit(csv_of(url, f"{shop.url}/chelsea.jpg"))
    assert drain(request_id)["outputCsvUrl"]
    assert post(f"/api/requests/{request_id}/retry").status_code == 202
    work(most=1)
    kill_workers(1 + 3, die_finalizing, request_id)
    status = status_of(request_id)
    assert (status["error"]["code"], status["outputCsvUrl"], status["failedCsvUrl"]) == ("finalize_failed", None, None)


@pytest.mark.parametrize(
    ("of", "bug", "code"),
    [
        pytest.param("plan", (plan, "read_csv"), "plan_failed", id="plan"),
        pytest.param("finalize", (output_files, "output_lines"), "finalize_failed", id="finalize"),
    ],
)
def test_a_bug_in_a_job_uses_up_its_attempts(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch, of: str, bug: tuple[Any, str], code: str
) -> None:
    """An unexpected exception counts as an attempt, as a worker's death does."""
    raised: list[int] = []

    def stumble(*_arguments: Any, **_options: Any) -> Any:
        raised.append(1)
        raise ZeroDivisionError

    request_id = upload_of(shop)
    monkeypatch.setattr(*bug, stumble)
    for _ in range(5):
        burst()
        pass_time(60)
        sweeper.sweep()
    assert (status_of(request_id)["error"]["code"], len(raised)) == (code, 1 + 3), of


# -- deliver ------------------------------------------------------------------------------------------------------


def test_a_delivery_that_kills_its_workers_fails(shop: ImageHost) -> None:
    """Each death is listed as an attempt, and the delivery can be sent again."""
    request_id = upload_of(shop)
    work(most=3)
    kill_workers(3, die_delivering, request_id)
    webhook = status_of(request_id)["webhook"]
    assert (webhook["status"], webhook["attempts"], webhook["nextAttemptAt"]) == ("failed", 3, None)
    (delivery,) = get(f"/api/requests/{request_id}/deliveries")["items"]
    assert [(each["number"], each["error"]["code"], each["durationMs"]) for each in delivery["attempts"]] == [
        (number, "worker_lost", None) for number in (1, 2, 3)
    ]
    assert post(f"/api/requests/{request_id}/deliveries/{delivery['id']}/redeliver").status_code == 202
    work()
    assert status_of(request_id)["webhook"]["status"] == "delivered"


def test_deaths_between_responses_do_not_add_up(shop: ImageHost) -> None:
    """A response resets the count of deaths, and deaths do not use up the retry schedule."""
    request_id = upload_of(shop)
    shop.says("/webhook", Answer(500), Answer(500), Answer(200))
    work(most=3)
    for _ in range(2):
        kill_workers(2, die_delivering, request_id)
        work()
        assert row(WebhookDelivery).attempt == 0
        pass_time(1000)
        sweeper.sweep()
    work()
    assert (status_of(request_id)["webhook"]["status"], len(rows(DeliveryAttempt))) == ("delivered", 7)


def test_a_bug_in_a_delivery_uses_up_its_attempts(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception counts as an attempt here as well."""
    request_id = upload_of(shop)
    monkeypatch.setattr(jobs, "attempt", lambda *_arguments: 1 / 0)
    for _ in range(6):
        burst()
        pass_time(60)
        sweeper.sweep()
    assert status_of(request_id)["webhook"]["status"] == "failed"


# -- what does not count as an attempt -----------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["plan", "finalize"])
def test_an_orderly_stop_counts_no_attempt(shop: ImageHost, step: str) -> None:
    """No attempt is counted, however often workers are restarted."""
    request_id = upload_of(shop)
    if step == "finalize":
        work(most=2)
    for _ in range(5):
        stopping.set()
        if step == "plan":
            jobs.plan(request_id)
        else:
            jobs.finalize(request_id, row(ProcessingRequest).finalize_epoch)
        stopping.clear()
        assert (row(ProcessingRequest).attempt, row(ProcessingRequest).lease_token) == (0, None)
        pass_time(60)
        sweeper.sweep()
    assert drain(request_id)["status"] == "completed"


def test_a_delivery_given_back_counts_no_attempt(shop: ImageHost) -> None:
    """A worker that stops while a receiver is slow gives its delivery back, and no attempt is counted."""
    request_id = upload_of(shop)
    work(most=3)
    delivery_id = row(WebhookDelivery).id
    for _ in range(5):
        assert deliveries.claim(delivery_id, token="mine", lease_seconds=30)
        assert deliveries.renew_lease(delivery_id, token="mine", lease_seconds=30)
        deliveries.give_back(delivery_id, token="another's")
        deliveries.give_back(delivery_id, token="mine")
        assert not deliveries.renew_lease(delivery_id, token="mine", lease_seconds=30)
    assert (row(WebhookDelivery).attempt, row(WebhookDelivery).attempts) == (0, 0)
    work()
    assert status_of(request_id)["webhook"]["status"] == "delivered"


@pytest.mark.parametrize("step", ["plan", "finalize"])
def test_an_outage_of_the_store_counts_no_attempt(shop: ImageHost, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """No attempt is counted, however long the store is down."""
    request_id = upload_of(shop)
    if step == "finalize":
        work(most=2)

    def away(*_arguments: Any, **_options: Any) -> Any:
        raise StorageUnavailable("Away.")

    with monkeypatch.context() as patched:
        patched.setattr(plan, "read_csv", away)
        patched.setattr(output_files, "write_csvs", away)
        for _ in range(5):
            work()
            assert row(ProcessingRequest).attempt == 0
            pass_time(60)
            sweeper.sweep()
    assert drain(request_id)["status"] == "completed"


@pytest.mark.parametrize("step", ["plan", "finalize"])
@pytest.mark.parametrize(
    ("state", "attempts"),
    [pytest.param(None, 0, id="the database is down"), pytest.param("57014", 1, id="a statement took too long")],
)
def test_an_outage_of_the_database_counts_no_attempt(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch, step: str, state: str | None, attempts: int
) -> None:
    """A long plan may see several outages; a slow statement counts, since it may be slow every time."""
    request_id = upload_of(shop)
    if step == "finalize":
        work(most=2)

    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise OperationalError("", {}, type("E", (Exception,), {"sqlstate": state})())

    with monkeypatch.context() as patched:
        patched.setattr(requests, "add_products", fail)
        patched.setattr(output_files, "write_csvs", fail)
        work()
    assert row(ProcessingRequest).attempt == attempts
    pass_time(60)
    sweeper.sweep()
    assert drain(request_id)["status"] == "completed"


@pytest.mark.parametrize(("die", "jobs_done"), [(die_planning, 0), (die_finalizing, 2), (die_delivering, 3)])
def test_no_lease_expires_just_after_an_outage(shop: ImageHost, die: Callable[[str], None], jobs_done: int) -> None:
    """No worker could renew its lease while the database was down, so none expires yet."""
    request_id = upload_of(shop)
    if jobs_done:
        work(most=jobs_done)
    die(request_id)
    lose_queue()
    pass_time(60)
    before = row(ProcessingRequest), rows(WebhookDelivery)
    sweeper.sweep(expire_leases=False)
    assert ((row(ProcessingRequest), rows(WebhookDelivery)), queued_jobs()) == (before, [])


# -- the sweep ----------------------------------------------------------------------------------------------------


def break_counters(request_id: str) -> None:
    """Corrupt the request's row, so that counting one of its products violates a constraint."""
    with transaction() as connection:
        connection.execute(
            sa.update(ProcessingRequest).where(ProcessingRequest.id == request_id).values(products_total=0)
        )


@pytest.mark.parametrize(
    "step", [step.__name__ for step in expired_leases.STEPS] + ["_cancel_stragglers", "_elect_finalizers"]
)
def test_a_step_that_raises_does_not_stop_the_others(
    shop: ImageHost, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The pass goes on and enqueues the lost plan again."""
    request_id = upload_of(shop)
    lose_queue()
    pass_time(10)

    def stumble(*_settings: Any) -> None:
        raise ZeroDivisionError

    stumble.__name__ = step
    if hasattr(sweeper, step):
        monkeypatch.setattr(sweeper, step, stumble)
    else:
        monkeypatch.setattr(
            expired_leases, "STEPS", [stumble if each.__name__ == step else each for each in expired_leases.STEPS]
        )
    sweeper.sweep()
    assert queued_jobs() == [f"plan-{request_id}"]


def test_a_corrupt_row_does_not_stop_the_sweep(shop: ImageHost) -> None:
    """The product of the corrupt request cannot be failed; that of the other request is."""
    ids = [planned(products=1) for _ in range(2)]
    with transaction() as connection:
        connection.execute(sa.update(Product).values(attempt=2, alone=True))
    break_counters(ids[0])
    sweeper.sweep()
    for each in rows(Product):
        assert products.claim(each.id, token="dead", lease_seconds=30, alone=True)
    pass_time(60)
    sweeper.sweep()
    ends = {each.request_id: each.status.value for each in rows(Product)}
    assert (ends[ids[0]], ends[ids[1]]) == ("processing", "failed")


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        pytest.param(ZeroDivisionError(), False, id="a bug"),
        pytest.param(IntegrityError("", {}, Exception()), False, id="a constraint"),
        pytest.param(OperationalError("", {}, Exception()), True, id="the database is down"),
        pytest.param(OperationalError("", {}, type("E", (Exception,), {"sqlstate": "57014"})()), False, id="too slow"),
        pytest.param(ResponseError("WRONGTYPE"), False, id="a key of another type"),
        pytest.param(QueueUnavailable("Away."), True, id="Redis is down"),
        pytest.param(StorageUnavailable("Away."), True, id="the store is down"),
    ],
)
def test_only_a_server_that_is_down_ends_a_pass(monkeypatch: pytest.MonkeyPatch, error: Exception, stops: bool) -> None:
    """A server that is down concerns every row; any other error concerns one row."""

    def stumble(*_settings: Any) -> None:
        raise error

    monkeypatch.setattr(expired_leases, "STEPS", [stumble])
    if stops:
        with pytest.raises(type(error)):
            sweeper.sweep()
    else:
        sweeper.sweep()


# -- removals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [pytest.param(ZeroDivisionError, id="a bug"), pytest.param(partial(StorageUnavailable, "No."), id="refused")],
)
def test_a_failing_removal_does_not_block_others(
    monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    """The failing removal is retried at growing intervals, and completes once it can."""
    bad, good = planned(products=1), planned(products=1)
    for each in (bad, good):
        delete.removal.remove(each)
        pass_time(1)
    pass_time(1000)
    step, asked = delete.step, []

    def stumble(services: Services, request_id: str) -> None:
        asked.append(request_id)
        if request_id == bad:
            raise error()
        step(services, request_id)

    with monkeypatch.context() as patched:
        patched.setattr(delete, "step", stumble)
        patched.setattr(delete, "REQUESTS_A_PASS", 1)
        for _ in range(20):
            with suppress(StorageUnavailable):
                delete.remove_due()
            pass_time(1)
    assert [each.id for each in rows(ProcessingRequest)] == [bad]
    assert 3 <= asked.count(bad) <= 5
    pass_time(4000)
    delete.remove_due()
    assert rows(ProcessingRequest) == []


# -- malformed jobs -----------------------------------------------------------------------------------------------


def call(*parts: Any) -> bytes:
    """A call as RQ stores it."""
    return zlib.compress(json.dumps(parts).encode())


PLAN = "imgproc.journey.jobs.plan"
MALFORMED: dict[str, Any] = {
    "no data": {"status": "queued"},
    "empty": {"data": b""},
    "not zlib": {"data": b"\x00\xff" * 40},
    "cut off": {"data": call(PLAN, None, [ANY_ID], {})[:-9]},
    "not JSON": {"data": zlib.compress(b"\x80\x04\x95 pickle")},
    "not UTF-8": {"data": zlib.compress(b'["\xff\xfe"]')},
    "a number": {"data": zlib.compress(b"7")},
    "null": {"data": zlib.compress(b"null")},
    "an object": {"data": zlib.compress(b'{"a":1,"b":2,"c":3,"d":4}')},
    "three parts": {"data": call(PLAN, None, [ANY_ID])},
    "five parts": {"data": call(PLAN, None, [ANY_ID], {}, 1)},
    "nested deeply": {"data": zlib.compress(b"[" * 100_000)},
    "a bomb": {"data": zlib.compress(b"[" + b" " * 50_000_000 + b"]")},
    "huge": {"data": b"x" * 5_000_000},
    "no function": {"data": call(None, None, [ANY_ID], {})},
    "a list as function": {"data": call([PLAN], None, [ANY_ID], {})},
    "an unknown function": {"data": call("imgproc.journey.jobs.shrink", None, [ANY_ID], {})},
    "an instance": {"data": call(PLAN, "x", [ANY_ID], {})},
    "keywords": {"data": call(PLAN, None, [], {"request_id": ANY_ID})},
    "no arguments": {"data": call(PLAN, None, [], {})},
    "an argument too many": {"data": call(PLAN, None, [ANY_ID, ANY_ID], {})},
    "arguments in an object": {"data": call(PLAN, None, {ANY_ID: 1}, {})},
    "arguments in a string": {"data": call(PLAN, None, "a", {})},
    "garbage as id": {"data": call(PLAN, None, ["'; DROP TABLE products --"], {})},
    "a braced id": {"data": call(PLAN, None, ["{" + ANY_ID + "}"], {})},
    "an id with NUL": {"data": call(PLAN, None, [ANY_ID[:-1] + "\x00"], {})},
    "a number as id": {"data": call(PLAN, None, [7], {})},
    "null as id": {"data": call(PLAN, None, [None], {})},
    "a string as product": {"data": call("imgproc.journey.jobs.process_product", None, ["7"], {})},
    "true as product": {"data": call("imgproc.journey.jobs.process_product", None, [True], {})},
    "a fraction as product": {"data": call("imgproc.journey.jobs.process_product", None, [1.5], {})},
    "a product beyond 64 bits": {"data": call("imgproc.journey.jobs.process_product", None, [2**63], {})},
    "a product of a thousand digits": {"data": call("imgproc.journey.jobs.process_product", None, [10**900], {})},
    "infinity as product": {"data": zlib.compress(b'["imgproc.journey.jobs.process_product",null,[Infinity],{}]')},
    "an epoch beyond 32 bits": {"data": call("imgproc.journey.jobs.finalize", None, [ANY_ID, 2**31], {})},
    "no epoch": {"data": call("imgproc.journey.jobs.finalize", None, [ANY_ID], {})},
    "a string instead of a hash": "plan",
    "a list instead of a hash": ["plan"],
}


def leave(name: str, record: Any) -> None:
    """Put a record into Redis and its id into a queue."""
    redis, key = redis_client(), f"rq:job:{name}"
    if isinstance(record, dict):
        redis.hset(key, mapping=record)
    elif isinstance(record, list):
        redis.rpush(key, *record)
    else:
        redis.set(key, record)
    redis.rpush("rq:queue:express", name)


@pytest.fixture
def planned_ids(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the requests whose plan job has run."""
    found: list[str] = []
    monkeypatch.setattr(jobs, "plan", found.append)
    return found


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_job_is_dropped(planned_ids: list[str], name: str) -> None:
    """The worker deletes its record and runs the next job."""
    leave(name, MALFORMED[name])
    enqueue.plans([ANY_ID])
    assert burst() == []
    assert planned_ids == [ANY_ID]
    assert redis_client().keys("rq:job:*") == []


def test_one_worker_drops_all_kinds_of_malformed_jobs(planned_ids: list[str]) -> None:
    """The worker drops them one after the other and runs the next job."""
    for name, record in MALFORMED.items():
        leave(name, record)
    enqueue.plans([ANY_ID])
    assert burst(most=1) == []
    assert planned_ids == [ANY_ID]


FIELDS = (
    "created_at", "enqueued_at", "timeout", "result_ttl", "status", "origin",
    "dependency_ids", "meta", "webhooks", "retries_left", "group_id",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_other_fields_of_a_record_are_not_read(planned_ids: list[str], field: str) -> None:
    """Another version of RQ may write other fields, and a forged record may hold anything."""
    leave("odd", {"data": call(PLAN, None, [ANY_ID], {}), field: b"\xff{[\x00"})
    assert burst() == []
    assert planned_ids == [ANY_ID]


@pytest.mark.parametrize("job_id", [b"\xff\xfe", b"", b"a b\nc", b"x" * 100_000])
def test_an_invalid_job_id_is_skipped(planned_ids: list[str], job_id: bytes) -> None:
    """The worker skips it, with or without a record; the sweeper, which reads all ids, is not harmed."""
    redis_client().rpush("rq:queue:express", job_id)
    redis_client().hset(b"rq:job:" + job_id, "data", call(PLAN, None, [ANY_ID], {}))
    redis_client().rpush("rq:queue:express", job_id)
    sweeper.sweep()
    assert burst() == []
    assert planned_ids == [ANY_ID]


@pytest.mark.parametrize("ids", [5, 3 * fair_order.MAX_SKIPPED_IDS])
def test_a_flood_of_ids_without_records_is_skipped(planned_ids: list[str], ids: int) -> None:
    """Each call to Redis skips a bounded number of ids."""
    redis_client().rpush("rq:queue:express", *[f"gone-{number}" for number in range(ids)])
    enqueue.plans([ANY_ID])
    assert burst() == []
    assert planned_ids == [ANY_ID]


SHARED = [
    "rq:queue:express",
    "imgproc:turns:express",
    "imgproc:turns:deliveries",
    "rq:queues",
    "rq:workers",
    "rq:workers:express",
    "rq:failed:express",
]


@pytest.mark.parametrize("key", SHARED)
def test_a_shared_key_of_another_type_is_repaired(shop: ImageHost, key: str) -> None:
    """Neither the workers nor the sweeper stop at such a key."""
    request_id = upload_of(shop)
    redis_client().delete(key)
    redis_client().set(key, "forged")
    pass_time(10)
    sweeper.sweep()
    assert drain(request_id)["status"] == "completed"


def test_jobs_for_missing_rows_do_nothing(shop: ImageHost) -> None:
    """Well-formed jobs for rows that do not exist are ignored."""
    enqueue.plans([ANY_ID])
    turns.enqueue_products([2**62])
    enqueue.finalization(ANY_ID, epoch=2**31 - 1)
    enqueue.deliveries([ANY_ID])
    work()
    assert drain(upload_of(shop))["status"] == "completed"
