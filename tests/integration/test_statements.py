"""Polls, lists and workers never read a whole table or request, and run as many statements for any size of request.

The tables are large enough for PostgreSQL to prefer an index. SQLite follows fixed rules, as ANALYZE is never run.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask import Flask, current_app

from imgproc.api import api_keys
from imgproc.db.access_models import ApiKey
from imgproc.db.engine import db, transaction
from imgproc.db.models import DeliveryAttempt, ProcessingRequest, Product, WebhookDelivery
from imgproc.db.statuses import DeliveryStatus, ProductStatus, RequestStatus
from imgproc.db.transitions import finalization, products, window
from imgproc.queue.connection import redis_client
from tests.integration.driver import LEASE, OPTIONS, burst, configure, get, planned, row, submit, work
from tests.integration.plans import plans_of_statements
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

LARGE = 6_000  # products of a large request
OTHERS = 3  # further large requests
ENDED = 4_000  # ended requests, half of them owned by an API key
PAGE = 50
MOST_ROWS = 6 * PAGE  # a page, a dispatch window, and some rows that are filtered out
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
RARE = [RequestStatus.FAILED, RequestStatus.CANCELLED, RequestStatus.COMPLETED_WITH_ERRORS]


class FullTables:
    """Full tables: a large running request, and ended requests with deliveries, half of them owned by an API key."""

    def __init__(self, shop: ImageHost, *, analyzed: bool) -> None:
        self.secret = api_keys.create_key("shop")
        self.announced = _add_ended_requests(["", str(row(ApiKey).id)])
        for _ in range(OTHERS):
            planned(products=LARGE)
        with transaction() as connection:
            connection.execute(sa.update(Product).values(status=ProductStatus.COMPLETED))
        _analyze()
        self.large = submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * LARGE))
        burst(most=1)  # its plan
        _make_half_ended(self.large)
        if analyzed:
            _analyze()
        else:
            _rebuild_indexes(fill=10)


def _analyze() -> None:
    """Run ANALYZE, as PostgreSQL does by itself now and then."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("ANALYZE"))


def _rebuild_indexes(*, fill: int) -> None:
    """Rebuild the window's index with pages `fill` per cent full: PostgreSQL expects a larger index to cost more."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"ALTER INDEX ix_products_window SET (fillfactor = {fill})"))
        connection.execute(sa.text("REINDEX TABLE products"))


def _add_ended_requests(owners: list[str]) -> str:
    """Add ended requests, one a minute, the oldest with rare statuses, each with a delivery; the newest one's id."""
    requests = [
        {
            "id": str(uuid.uuid4()), "owner": owners[number % len(owners)], "filename": "a.csv", "input_key": "",
            "options": OPTIONS, "fingerprint": "", "created_at": LONG_AGO + timedelta(minutes=number),
            "status": RARE[number // 2] if number < 2 * len(RARE) else RequestStatus.COMPLETED,
        }
        for number in range(ENDED)
    ]  # fmt: skip
    deliveries = [
        {
            "id": str(uuid.uuid4()), "request_id": request["id"], "finalize_epoch": 1, "url": "http://shop.example/",
            "payload": {"type": "request.completed"}, "status": DeliveryStatus.DELIVERED,
        }
        for request in requests
    ]  # fmt: skip
    with transaction() as connection:
        connection.execute(sa.insert(ProcessingRequest), requests)
        connection.execute(sa.insert(WebhookDelivery), deliveries)
        attempts = [{"delivery_id": each["id"], "number": 1, "duration_ms": 1} for each in deliveries]
        connection.execute(sa.insert(DeliveryAttempt), attempts)
    return next(str(each["id"]) for each in reversed(requests) if each["owner"] == "")


def _make_half_ended(request_id: str) -> None:
    """End the first half of the products, except those in the window; one has failed and one is cancelled."""
    waiting = sa.and_(Product.request_id == request_id, Product.status == ProductStatus.PENDING)
    ends = {LARGE // 2 - 1: ProductStatus.FAILED, LARGE // 2 - 2: ProductStatus.CANCELLED}
    with transaction() as connection:
        for number, end in ends.items():
            connection.execute(sa.update(Product).where(waiting, Product.row == number).values(status=end))
        half = sa.update(Product).where(waiting, Product.row < LARGE // 2)
        connection.execute(half.values(status=ProductStatus.COMPLETED))


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "postgresql, not analyzed"])
def full_tables(request: pytest.FixtureRequest, the_shop: ImageHost) -> Iterator[FullTables]:
    """The full tables, on either database; on PostgreSQL also without statistics on the large request."""
    database, _, not_analyzed = request.param.partition(", ")
    app: Flask = request.getfixturevalue(f"{database}_app")

    def clear() -> None:
        with transaction() as connection:
            connection.execute(sa.delete(ProcessingRequest))
            connection.execute(sa.delete(ApiKey))
        redis_client().flushall()

    with app.app_context():
        clear()
        yield FullTables(the_shop, analyzed=not not_analyzed)
        clear()
        if not_analyzed:
            db.session.rollback()  # else the rebuild would wait for its locks
            _rebuild_indexes(fill=90)


def _walk(path: str, *, secret: str = "") -> None:
    """Request up to two pages of a list, and check that no statement reads too many rows."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    with plans_of_statements(most_rows=MOST_ROWS) as plans:
        db.session.rollback()
        first = current_app.test_client().get(path, headers=headers)
        assert first.status_code == 200, first.text
        if cursor := first.get_json().get("nextCursor"):
            between = "&" if "?" in path else "?"
            next_page = current_app.test_client().get(f"{path}{between}cursor={quote(cursor)}", headers=headers)
            assert next_page.status_code == 200, next_page.text
    assert plans.statements
    assert not plans.faults, plans.report()


@pytest.mark.parametrize("path", ["", "/products", "/deliveries"])
def test_polling_a_request_reads_few_rows(full_tables: FullTables, path: str) -> None:
    """This holds for its status, its products and its deliveries."""
    for request_id in (full_tables.large, full_tables.announced):
        _walk(f"/api/requests/{request_id}{path}" if path else f"/api/status/{request_id}")


@pytest.mark.parametrize("status", [each.value for each in ProductStatus])
def test_listing_products_of_a_status_reads_few_rows(full_tables: FullTables, status: str) -> None:
    """This holds for every status, however rare."""
    _walk(f"/api/requests/{full_tables.large}/products?status={status}")


@pytest.mark.parametrize("status", ["", *(each.value for each in RequestStatus)])
@pytest.mark.parametrize("with_key", [False, True], ids=["without a key", "with a key"])
def test_listing_requests_reads_few_rows(full_tables: FullTables, status: str, with_key: bool) -> None:
    """This holds for every status, however rare, with and without an API key."""
    path = f"/api/requests?status={status}" if status else "/api/requests"
    _walk(path, secret=full_tables.secret if with_key else "")


def test_a_scrape_reads_few_rows(full_tables: FullTables) -> None:
    """The gauges are read from open work alone."""
    with plans_of_statements(most_rows=MOST_ROWS) as plans:
        assert "imgproc_oldest_seconds" in current_app.test_client().get("/metrics").text
    assert len(plans.statements) == 10
    assert not plans.faults, plans.report()


def test_a_worker_reads_few_rows(full_tables: FullTables) -> None:
    """A worker claims, finishes and postpones products, fills the window, and checks whether work is left."""
    *_, next_one = _queued(full_tables.large)
    with plans_of_statements(most_rows=MOST_ROWS) as plans:
        work(most=1)
        products.claim(next_one, **LEASE)
        products.renew_lease(next_one, **LEASE)
        products.postpone(next_one, [], token=LEASE["token"], window=64, delay=60, counts_as_attempt=False)
        assert window.release(full_tables.large, window=80)
        assert finalization.elect_finalizer(full_tables.large) is None
    assert len(plans.statements) >= 12
    assert not plans.faults, plans.report()


def _queued(request_id: str) -> list[int]:
    queued = sa.select(Product.id).where(Product.request_id == request_id, Product.status == ProductStatus.QUEUED)
    with db.engine.connect() as connection:
        return list(connection.execute(queued.order_by(Product.row)).scalars())


@pytest.mark.parametrize("path", ["/api/status/{}", "/api/requests/{}/products", "/api/requests/{}/deliveries"])
def test_a_call_makes_as_many_statements_for_a_large_request_as_for_a_small_one(app: Flask, path: str) -> None:
    """One statement reads the page, and another reads its images."""
    counts = []
    for size in (1, 2_000):
        request_id = planned(products=size, images=3)
        with plans_of_statements(most_rows=MOST_ROWS) as plans:
            get(path.format(request_id))
        counts.append(len(plans.statements))
    assert counts[0] == counts[1] > 0


def test_a_product_takes_as_many_statements_in_a_large_request_as_in_a_small_one(app: Flask, shop: ImageHost) -> None:
    """The statements are counted from the claim to the refill of the window."""
    configure(reuse_pictures=False)  # else the second request would look up pictures of the first
    counts = []
    for size in (2, 1_000):
        submit(csv_of(*[f"{shop.url}/chelsea.jpg"] * size))
        burst(most=1)
        with plans_of_statements(most_rows=MOST_ROWS) as plans:
            work(most=1)
        counts.append(len(plans.statements))
        redis_client().flushall()
    assert counts[0] == counts[1] > 0
