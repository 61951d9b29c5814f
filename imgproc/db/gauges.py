"""Reads for the metrics. Each uses an index of open work, so its cost does not grow with what has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.statuses import OPEN, UNFINALIZED, DeliveryStatus, ProductStatus

WITH_MOST = 10  # hosts that are named


def _literally(column: Any, statuses: Sequence[Any]) -> sa.ColumnElement[bool]:
    """SQL: the status is one of these. As literals, because databases use a partial index only if they see them."""
    is_one: sa.ColumnElement[bool] = column.in_(sa.bindparam(None, statuses, expanding=True, literal_execute=True))
    return is_one


IS_OPEN = _literally(ProcessingRequest.status, OPEN)
IS_WAITING = sa.and_(Product.waiting_host.is_not(None), Product.status == ProductStatus.PENDING)


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
    is_processing = _literally(Product.status, [ProductStatus.PROCESSING])
    products = sa.select(sa.func.count()).where(is_processing, Product.lease_until > db_now())
    # A request that was given back is due again at its `lease_until`, and has no token.
    is_leased = sa.and_(ProcessingRequest.lease_token.is_not(None), ProcessingRequest.lease_until > db_now())
    requests = sa.select(sa.func.count()).where(IS_OPEN, is_leased)
    is_sending = _literally(WebhookDelivery.status, [DeliveryStatus.SENDING])
    sending = sa.select(sa.func.count()).where(is_sending, WebhookDelivery.lease_until > db_now())
    return {"images": _one(products) + _one(requests), "deliveries": _one(sending)}


def oldest_due() -> dict[str, float]:
    """For how many seconds the oldest due work has waited, by the name of its job; 0 if none waits."""
    plans = sa.select(ProcessingRequest.created_at).where(_literally(ProcessingRequest.status, UNFINALIZED))
    plans = plans.where(ProcessingRequest.planned_at.is_(None), ProcessingRequest.lease_token.is_(None))
    is_queued = _literally(Product.status, [ProductStatus.QUEUED])
    queued = sa.select(Product.queued_at).where(is_queued).order_by(Product.queued_at).limit(1)
    is_pending = WebhookDelivery.status == DeliveryStatus.PENDING
    # The partial index is of pending and sending deliveries; only the former are due.
    in_index = _literally(WebhookDelivery.status, [DeliveryStatus.PENDING, DeliveryStatus.SENDING])
    due = sa.select(WebhookDelivery.next_attempt_at).where(in_index, is_pending)
    due = due.where(WebhookDelivery.next_attempt_at <= db_now()).order_by(WebhookDelivery.next_attempt_at).limit(1)
    oldest = {
        "plan": plans.order_by(ProcessingRequest.created_at).limit(1),
        "process_product": queued,
        "deliver": due,
    }
    now = _one(sa.select(db_now()))
    found = {name: db.session.execute(statement).scalar() for name, statement in oldest.items()}
    return {name: max(0.0, (now - since).total_seconds()) if since else 0.0 for name, since in found.items()}


def waiting() -> tuple[int, int, dict[str, int]]:
    """How many products wait for a host, for how many hosts, and the hosts with most of them."""
    products = sa.func.count()
    totals = sa.select(products, sa.func.count(Product.waiting_host.distinct())).where(IS_WAITING)
    by_host = sa.select(Product.waiting_host, products).where(IS_WAITING).group_by(Product.waiting_host)
    most = db.session.execute(by_host.order_by(products.desc(), Product.waiting_host).limit(WITH_MOST))
    total, hosts = db.session.execute(totals).one()
    return total, hosts, {host: number for host, number in most if host}


def deliveries_pending() -> int:
    """How many webhooks wait for their next attempt."""
    in_index = _literally(WebhookDelivery.status, [DeliveryStatus.PENDING, DeliveryStatus.SENDING])
    pending = sa.select(sa.func.count()).where(in_index, WebhookDelivery.status == DeliveryStatus.PENDING)
    return int(_one(pending))


def _one(statement: sa.Select[Any]) -> Any:
    return db.session.execute(statement).scalar_one()
