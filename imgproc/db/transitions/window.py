"""The dispatch window: how many products of a request may be queued or processing, and which are next."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timezone

import sqlalchemy as sa

from imgproc.db.batch import Batch
from imgproc.db.dialects import db_now
from imgproc.db.engine import db, single_statement
from imgproc.db.models import ProcessingRequest, Product
from imgproc.db.statuses import AT_LIMIT, IN_FLIGHT, ProductStatus, RequestStatus

LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)
MOST_WAITING = 4  # windows of products that may wait for hosts; beyond it only products that have waited are released
REFILLS = 8  # per window of products; releasing them one by one would take a statement and a job for each


def of_status(status: ProductStatus, *, after_row: int = 0) -> sa.ColumnElement[bool]:
    """SQL: a request's products of one status beyond a row, to be ordered by status and row.

    Only `ix_products_window` has them in this order. For `status = …` ordered by row PostgreSQL may read all rows in
    order and skip those with another status, which costs more as more products end. The comparison is `>=`, because
    for `>` PostgreSQL expects almost no rows and sorts them.
    """
    place = sa.tuple_(sa.literal(status, Product.status.type), sa.literal(after_row + 1, Product.row.type))
    return sa.and_(sa.tuple_(Product.status, Product.row) >= place, Product.status <= status)


def waits_for_host(request_id: sa.ColumnElement[str] | str) -> sa.ColumnElement[bool]:
    """SQL: a request's products that wait for a host, with the few of them that are queued again.

    The condition on the time lets SQLite use `ix_products_waiting`. By the status it would read all pending products.
    """
    return sa.and_(Product.request_id == request_id, Product.waiting_host.is_not(None), Product.not_before > LONG_AGO)


def release(request_id: str, *, window: int) -> tuple[int, ...]:
    """Move pending products of a request into its dispatch window. Returns their ids, to be enqueued."""
    with single_statement() as connection:
        _, filled = _LOCK_AND_FILL.run(connection, {"request": request_id, "window": window})
    return tuple(sorted(row["id"] for row in filled))


def requests_with_due(*, limit: int) -> tuple[str, ...]:
    """The requests of the first products that have waited for their host long enough."""
    due = (
        sa.select(Product.request_id)
        .where(Product.waiting_host.is_not(None), Product.status == ProductStatus.PENDING)
        .where(Product.not_before <= db_now())
        .order_by(Product.not_before)
        .limit(limit)
    )
    with db.engine.connect() as connection:
        return tuple(dict.fromkeys(connection.execute(due).scalars()))


def hosts_waited_for(*, limit: int) -> tuple[str, ...]:
    """Hosts at whose limit products wait that are not due within a second."""
    hosts = (
        sa.select(Product.waiting_host)
        .where(Product.waiting_host.is_not(None), Product.status == ProductStatus.PENDING)
        .where(Product.waiting_reason == AT_LIMIT, Product.not_before > db_now(1))
        .distinct()
        .limit(limit)
    )
    with db.engine.connect() as connection:
        return tuple(host for host in connection.execute(hosts).scalars() if host)


def wake(host: str, *, most: int, window: int) -> tuple[int, ...]:
    """Release up to `most` products that wait for the host, although they are not due yet. Returns their ids.

    Those that were released before and that no worker has claimed yet count too. Products whose images the host has
    refused are released only when they are due.
    """
    of_host = Product.waiting_host == host
    released = sa.select(sa.func.count()).where(of_host, Product.status == ProductStatus.QUEUED)
    first = (
        sa.select(Product.id, Product.request_id)
        .where(of_host, Product.status == ProductStatus.PENDING)
        .where(sa.or_(Product.waiting_reason == AT_LIMIT, Product.not_before <= db_now()))
        .order_by(Product.not_before)
    )
    by_request: defaultdict[str, list[int]] = defaultdict(list)
    with db.engine.connect() as connection:
        if (left := most - connection.execute(released).scalar_one()) > 0:
            for product_id, request_id in connection.execute(first.limit(left)):
                by_request[request_id].append(product_id)
    woken: list[int] = []
    for request_id, ids in by_request.items():
        with single_statement() as connection:
            values = {"request": request_id, "window": window, "some": ids}
            woken += [row["id"] for row in _LOCK_AND_WAKE.run(connection, values)[1]]
    return tuple(woken)


def refill_is_due(ended: int, *, window: int) -> bool:
    """Whether to fill a request's window after `ended` of its products have ended."""
    return ended % max(1, window // REFILLS) == 0


def _fill(*, some: bool = False) -> sa.Executable:
    """Queue as many pending products as the window has room for; with `some`, of those whose ids are bound.

    A statement before it must lock the request's row: this statement does not see changes made while it waits.
    """
    window = sa.bindparam("window", type_=sa.Integer, literal_execute=True)
    of_request = Product.request_id == sa.bindparam("request", type_=Product.request_id.type)
    # Literals, because a database uses a partial index only for a statement that repeats its condition.
    statuses: sa.BindParameter[ProductStatus] = sa.bindparam(
        "in_flight", IN_FLIGHT, expanding=True, literal_execute=True
    )
    in_flight = sa.select(sa.func.count()).where(of_request, Product.status.in_(statuses)).scalar_subquery()
    room = sa.case((in_flight < window, window - in_flight), else_=0)
    pending = sa.literal(ProductStatus.PENDING, Product.status.type, literal_execute=True)
    due = sa.select(_next_ids(of_request, window).c.id).limit(room)
    if some:
        ids = sa.bindparam("some", type_=Product.id.type, expanding=True)
        due = sa.select(Product.id).where(Product.id.in_(ids), Product.status == pending).limit(room)
    is_processing = (
        sa.exists()
        .where(ProcessingRequest.id == sa.bindparam("request", type_=ProcessingRequest.id.type))
        .where(ProcessingRequest.status == RequestStatus.PROCESSING, ProcessingRequest.cancel_requested_at.is_(None))
    )
    return (
        sa.update(Product)
        .where(is_processing, Product.id.in_(due), Product.status == ProductStatus.PENDING)
        .values(status=ProductStatus.QUEUED, queued_at=db_now())
        .returning(Product.id)
    )


def _next_ids(of_request: sa.ColumnElement[bool], window: sa.BindParameter[int]) -> sa.Subquery:
    """Which pending products come next: those that have waited for their host, then the others in row order.

    PostgreSQL cannot know how much room there is, and would plan to read all products. So both have a fixed limit.
    """
    waiting = waits_for_host(sa.bindparam("request", type_=Product.request_id.type))
    have_waited = (
        sa.select(Product.id)
        .where(waiting, Product.not_before <= db_now())
        .order_by(Product.request_id, Product.not_before)
        .limit(window)
        .subquery()
    )
    next_ones = (
        sa.select(Product.id)
        .where(of_request, of_status(ProductStatus.PENDING), Product.waiting_host.is_(None))
        .where(sa.or_(Product.not_before.is_(None), Product.not_before <= db_now()))
        .order_by(Product.status, Product.row)
        .limit(window)
        .subquery()
    )
    few_wait = sa.select(sa.func.count()).where(waiting).scalar_subquery() < MOST_WAITING * window
    return sa.union_all(sa.select(have_waited.c.id), sa.select(next_ones.c.id).where(few_wait)).subquery()


_LOCK = (
    sa.select(ProcessingRequest.id)
    .where(ProcessingRequest.id == sa.bindparam("request", type_=ProcessingRequest.id.type))
    .with_for_update()
)
_LOCK_AND_WAKE = Batch(_LOCK, _fill(some=True))
_LOCK_AND_FILL = Batch(_LOCK, _fill())  # built once, because every product uses it
