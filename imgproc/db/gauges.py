"""Reads for the metrics. Each uses an index of open work, so its cost does not grow with what has ended."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.statuses import OPEN, UNDELIVERED, DeliveryStatus, ProductStatus


def _is(column: Any, *statuses: Any) -> sa.ColumnElement[bool]:
    """SQL: the status is one of these, as literals: databases use a partial index only if they see the values."""
    literals = [sa.literal(status, column.type, literal_execute=True) for status in statuses]
    is_one: sa.ColumnElement[bool] = column == literals[0] if len(literals) == 1 else column.in_(literals)
    return is_one


IS_OPEN = _is(ProcessingRequest.status, *OPEN)
IS_UNDELIVERED = _is(WebhookDelivery.status, *UNDELIVERED)
IS_PENDING = WebhookDelivery.status == DeliveryStatus.PENDING
LONG = 10 * 365 * 24 * 3600.0  # seconds; every next attempt is before


def open_requests() -> dict[str, tuple[int, int]]:
    """How many requests have each open status, and how many of their images have not ended."""
    ended = ProcessingRequest.images_completed + ProcessingRequest.images_failed + ProcessingRequest.images_cancelled
    left = sa.func.coalesce(sa.func.sum(ProcessingRequest.images_total - ended), 0)
    statement = sa.select(ProcessingRequest.status, sa.func.count(), left).where(IS_OPEN)
    counted = {status.value: (0, 0) for status in OPEN}
    for status, requests, images in db.session.execute(statement.group_by(ProcessingRequest.status)):
        counted[status.value] = requests, int(images)
    return counted


def workers_busy() -> dict[str, int]:
    """How many leases workers hold now, by their role."""
    # A request that was given back is due again at its `lease_until`, and has no token.
    is_leased = sa.and_(ProcessingRequest.lease_token.is_not(None), ProcessingRequest.lease_until > db_now())
    products = _count(_is(Product.status, ProductStatus.PROCESSING), Product.lease_until > db_now())
    sending = _count(_is(WebhookDelivery.status, DeliveryStatus.SENDING), WebhookDelivery.lease_until > db_now())
    return {"images": products + _count(IS_OPEN, is_leased), "deliveries": sending}


def oldest_due() -> dict[str, float]:
    """For how many seconds the oldest due work has waited, by the name of its job; 0 if none waits."""
    is_unplanned = sa.and_(ProcessingRequest.planned_at.is_(None), ProcessingRequest.lease_token.is_(None))
    is_due = sa.and_(IS_PENDING, WebhookDelivery.next_attempt_at <= db_now())
    oldest = {
        "plan": sa.select(sa.func.min(ProcessingRequest.created_at)).where(IS_OPEN, is_unplanned),
        "process_product": sa.select(sa.func.min(Product.queued_at)).where(_is(Product.status, ProductStatus.QUEUED)),
        "deliver": sa.select(sa.func.min(WebhookDelivery.next_attempt_at)).where(IS_UNDELIVERED, is_due),
    }
    now = db.session.execute(sa.select(db_now())).scalar_one()
    found = {name: db.session.execute(statement).scalar_one() for name, statement in oldest.items()}
    return {name: max(0.0, (now - since).total_seconds()) if since else 0.0 for name, since in found.items()}


def waiting_by_host() -> dict[str, int]:
    """How many products wait for each host, those with most first. Each request has few, so the hosts are few, too."""
    columns = Product.waiting_host, Product.status
    counted = sa.select(*columns, sa.func.count()).where(Product.waiting_host.is_not(None)).group_by(*columns)
    rows = db.session.execute(counted)
    found = [(host, number) for host, status, number in rows if host and status is ProductStatus.PENDING]
    return dict(sorted(found, key=lambda each: (-each[1], each[0])))


def deliveries_pending() -> int:
    """How many webhooks wait for their next attempt."""
    return _count(IS_UNDELIVERED, IS_PENDING, WebhookDelivery.next_attempt_at < db_now(LONG))


def _count(*conditions: sa.ColumnElement[bool]) -> int:
    return db.session.execute(sa.select(sa.func.count()).where(*conditions)).scalar_one()
