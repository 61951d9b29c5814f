"""Limits of database sessions: which are set, what follows when one is exceeded, and what a session locks."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import pytest
import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from imgproc.core.config import load_settings
from imgproc.db import timeouts
from imgproc.db.engine import db, single_statement, transaction
from imgproc.db.models import ProcessingRequest, Product, ProductImage
from imgproc.db.statuses import ProductStatus
from imgproc.db.timeouts import Limits, allow, is_outage
from imgproc.db.transitions import actions, deliveries, expiry, finalization, products, requests, window
from imgproc.db.transitions.results import ImageResult, MadeImage
from imgproc.journey.jobs import SENDING_SECONDS
from imgproc.journey.outage import retry_on_outage
from imgproc.queue.connection import connect_redis, redis_client
from imgproc.worker import sweeper
from tests.integration.driver import LEASE, pass_time, planned, row, rows, submit, upload
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

IMPATIENT = Limits(lock=1, statement=1, idle=1)
TOKEN = LEASE["token"]

pytestmark = pytest.mark.parametrize("app", ["postgresql"], indirect=True)


@contextmanager
def another_session() -> Iterator[Connection]:
    """A second session, in a transaction."""
    engine = sa.create_engine(current_app.config["SQLALCHEMY_DATABASE_URI"], poolclass=sa.NullPool)
    with engine.connect() as connection, connection.begin():
        yield connection


def lock(connection: Connection, entity: Any, *, options: str = "") -> None:
    """Lock all rows of a table."""
    connection.execute(sa.text(f"SELECT 1 FROM {entity.__tablename__} FOR UPDATE {options}"))


def setting(connection: Connection, name: str) -> str:
    """One of the session's settings, as PostgreSQL shows it."""
    return str(connection.execute(sa.text("SELECT current_setting(:name)"), {"name": name}).scalar_one())


def test_a_session_has_every_limit(app: Flask) -> None:
    """TCP limits show 0 on a Unix socket, so the test checks that the session has set them."""
    of_tcp = {name for name in timeouts.SESSION if name.startswith("tcp_")}
    with db.engine.connect() as connection:
        shown = {name: setting(connection, name) for name in timeouts.SESSION.keys() - of_tcp}
        source = sa.text("SELECT name FROM pg_settings WHERE source = 'session' AND name LIKE 'tcp%'")
        asked_for = set(connection.execute(source).scalars())
        sorts = setting(connection, "enable_sort")
    assert shown == {
        "client_connection_check_interval": "3s",
        "idle_in_transaction_session_timeout": "10s",
        "lock_timeout": "5s",
        "statement_timeout": "15s",
    }
    assert asked_for == of_tcp
    assert sorts == "off"


@pytest.mark.parametrize("refused", [{"no_such_setting": "1"}, {"enable_sort": "perhaps"}, {"shared_buffers": "1GB"}])
def test_an_unsupported_setting_does_not_prevent_connections(app: Flask, refused: dict[str, str]) -> None:
    """A server or a platform may not support one of the settings; the connection works and has the others."""
    engine = sa.create_engine(app.config["SQLALCHEMY_DATABASE_URI"], poolclass=sa.NullPool)
    timeouts.limit_sessions(engine, settings=refused)
    with engine.connect() as connection:
        assert setting(connection, "lock_timeout") == "5s"


def test_long_work_has_long_limits_and_only_there(app: Flask) -> None:
    """The long limits end with the transaction, so the connection returns to the pool with the short ones."""
    with allow(timeouts.LONG), transaction() as connection:
        assert setting(connection, "statement_timeout") == "5min"
    with transaction() as connection:
        assert setting(connection, "statement_timeout") == "15s"
    with allow(timeouts.LONG), single_statement() as connection:
        assert setting(connection, "statement_timeout") == "15s"


def wait_for_a_lock(app: Flask) -> None:
    """Exceed `lock_timeout`."""
    with another_session() as other, transaction() as connection:
        lock(other, Product)
        lock(connection, Product)


def run_too_long(app: Flask) -> None:
    """Exceed `statement_timeout`."""
    with transaction() as connection:
        connection.execute(sa.text("SELECT pg_sleep(5)"))


def stay_idle(app: Flask) -> None:
    """Exceed `idle_in_transaction_session_timeout`, as a worker that is suspended in a transaction does."""
    with transaction() as connection:
        connection.execute(sa.text("SELECT 1"))
        threading.Event().wait(2)
        connection.execute(sa.text("SELECT 1"))


def be_terminated(app: Flask) -> None:
    """Be terminated, as by an administrator or a restart."""
    with transaction() as connection, another_session() as other:
        pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        other.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))
        connection.execute(sa.text("SELECT 1"))


def wait_for_each_other(app: Flask) -> None:
    """Run into a deadlock with another session."""
    with another_session() as other, transaction() as connection:
        lock(other, Product)
        lock(connection, ProcessingRequest)
        lock_too = threading.Thread(target=lock, args=(other, ProcessingRequest))
        connection.execute(sa.text("SET LOCAL lock_timeout = '30s'; SET LOCAL statement_timeout = '30s'"))
        connection.execute(sa.text("SET LOCAL deadlock_timeout = '1s'"))
        other.execute(sa.text("SET LOCAL deadlock_timeout = '60s'"))
        lock_too.start()
        try:
            lock(connection, Product)
        finally:
            connection.rollback()
            lock_too.join()


@pytest.mark.parametrize(
    "end", [wait_for_a_lock, run_too_long, stay_idle, be_terminated, wait_for_each_other], ids=lambda end: end.__name__
)
def test_an_exceeded_limit_counts_as_an_outage(app: Flask, end: Callable[[Flask], None]) -> None:
    """An exceeded limit delays work and fails none; the next transaction gets a working connection."""
    planned(products=1)
    with allow(IMPATIENT), pytest.raises(DBAPIError) as caught:
        end(app)
    assert is_outage(caught.value)
    with transaction() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1


def test_finishing_a_product_waits_for_a_locked_row(app: Flask) -> None:
    """The wait exceeds the limit and is retried until the row is free; then the product is finished."""
    planned(products=1)
    (product_id,) = window.release(row(ProcessingRequest).id, window=1)
    products.claim(product_id, **LEASE)
    free = threading.Event()

    def hold() -> None:
        with app.app_context(), another_session() as other:
            lock(other, ProcessingRequest)
            held.set()
            free.wait(30)

    held, holder = threading.Event(), threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    threading.Timer(2.5, free.set).start()
    with allow(IMPATIENT):
        settled = retry_on_outage(partial(products.finish, product_id, _made(), token=TOKEN, window=1))
    holder.join()
    assert settled.all_ended
    assert row(Product).status is ProductStatus.COMPLETED


def test_a_caller_is_told_to_retry(app: Flask, shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is locked for too long gives 503 with `Retry-After`; the call works once the row is free."""
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    monkeypatch.setattr(actions, "LONG", IMPATIENT)
    with another_session() as other:
        lock(other, ProcessingRequest)
        response = app.test_client().post(f"/api/requests/{request_id}/cancel")
    assert (response.status_code, response.get_json()["code"]) == (503, "database_unavailable")
    assert response.headers["Retry-After"]
    assert app.test_client().post(f"/api/requests/{request_id}/cancel").status_code == 202


def test_the_sweeper_skips_a_locked_row(app: Flask) -> None:
    """The session of a lost host may still lock a row: the sweeper skips it and goes on with its pass."""
    planned(products=2)
    first, second = sorted(window.release(row(ProcessingRequest).id, window=2))
    for product_id in (first, second):
        products.claim(product_id, **LEASE)
    pass_time(60)
    with another_session() as other:
        other.execute(sa.text(f"SELECT 1 FROM products WHERE id = {first} FOR UPDATE"))
        assert expiry.requeue_expired(max_attempts=3) == [second]
    assert expiry.requeue_expired(max_attempts=3) == [first]


def test_leases_expire_after_a_lock_timeout_as_usual(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an outage no lease expires for a while; after a mere lock timeout, expired leases are recovered."""
    planned(products=1)
    (product_id,) = window.release(row(ProcessingRequest).id, window=1)
    products.claim(product_id, **LEASE)
    pass_time(60)
    repairs = sweeper.Repairs()
    with monkeypatch.context() as locked:
        locked.setattr(sweeper.enqueue, "waiting", lambda: wait_for_a_lock(app))
        with allow(IMPATIENT), pytest.raises(DBAPIError):
            repairs()
    repairs()
    assert row(Product).status is ProductStatus.QUEUED


def _made() -> list[ImageResult]:
    made = MadeImage("original", "output", 2, 1, 1, "png", 1, 1, 1, "jpeg", output_kept=False)
    return [ImageResult(image.id, made) for image in rows(ProductImage)]


def _queued() -> int:
    with db.engine.connect() as connection:
        queued = sa.select(Product.id).where(Product.status == ProductStatus.QUEUED).limit(1)
        return int(connection.execute(queued).scalar_one())


def _claimed() -> int:
    product_id = _queued()
    assert products.claim(product_id, **LEASE)
    return product_id


def _settle_one(settle: Callable[..., Any]) -> Callable[[], Any]:
    return lambda: settle(_claimed(), [], token=TOKEN, window=64)


STEPS: dict[str, Callable[[], Any]] = {
    "claim": lambda: products.claim(_queued(), **LEASE),
    "renew a lease": lambda: products.renew_lease(_claimed(), **LEASE),
    "give back": lambda: products.give_back(_claimed(), token=TOKEN),
    "finish": _settle_one(products.finish),
    "postpone": _settle_one(partial(products.postpone, delay=1, counts_as_attempt=True)),
    "release": lambda: window.release(row(ProcessingRequest).id, window=8),
    "elect a finalizer": lambda: finalization.elect_finalizer(row(ProcessingRequest).id),
    "claim a finalization": lambda: finalization.claim_finalize(row(ProcessingRequest).id, epoch=0, **LEASE),
    "claim a plan": lambda: requests.claim_plan(row(ProcessingRequest).id, **LEASE),
    "renew a request's lease": lambda: requests.renew_lease(row(ProcessingRequest).id, **LEASE),
    "mark as planned": lambda: requests.mark_planned(row(ProcessingRequest).id, token=TOKEN),
    "requeue expired": lambda: expiry.requeue_expired(max_attempts=3),
    "claim a delivery": lambda: deliveries.claim(str(uuid.uuid4()), **LEASE),
}


@pytest.mark.parametrize("step", STEPS)
def test_no_worker_locks_its_requests_row_between_statements(app: Flask, step: str) -> None:
    """If its host is lost then, other sessions can still lock the request's row and take its advisory lock."""
    request_id = planned(products=4)
    window.release(request_id, window=4)
    turn = sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended(:of, 0))")
    answers = []

    def look(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        with another_session() as other:
            lock(other, ProcessingRequest, options="NOWAIT")
            assert other.execute(turn, {"of": request_id}).scalar_one()
        answers.append(statement)

    event.listen(db.engine, "after_cursor_execute", look)
    try:
        STEPS[step]()
    finally:
        event.remove(db.engine, "after_cursor_execute", look)
    assert answers


def test_redis_connections_use_tcp_keepalive(app: Flask) -> None:
    """The kernel reports the keepalive options of the socket; a Unix socket gets none."""
    client = redis_client()
    client.ping()
    connection = client.connection_pool.get_connection()
    options = cast("socket.socket", connection._sock)
    seconds = {name: options.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in _TCP}
    client.connection_pool.release(connection)
    assert seconds == _TCP
    assert options.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert connect_redis("unix:///run/redis.sock").connection_pool.connection_kwargs.get("socket_keepalive") is None


_TCP = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 9000}


def test_a_lost_hosts_sessions_end_before_its_leases_do(app: Flask) -> None:
    """By default they end within half a minute, before the sweeper gives the work to another host."""
    settings = load_settings({})
    ended = timeouts.KEEPALIVE_IDLE + timeouts.KEEPALIVE_INTERVAL * timeouts.KEEPALIVE_COUNT
    assert max(ended, timeouts.UNACKNOWLEDGED) + timeouts.KEEPALIVE_IDLE < min(
        settings.lease_seconds, SENDING_SECONDS, 30
    )


def test_an_upload_is_accepted_after_a_session_was_terminated(app: Flask, shop: ImageHost) -> None:
    """The pool detects that its connections are dead and opens new ones."""
    be_ended = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    submit(csv_of(f"{shop.url}/chelsea.jpg"))
    db.session.remove()
    with another_session() as other:
        other.execute(be_ended)
    assert upload(csv_of(f"{shop.url}/coffee.jpg")).status_code == 202
