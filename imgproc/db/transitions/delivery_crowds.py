"""Delays due deliveries of which one owner or receiver has so many that they crowd out the others."""

from __future__ import annotations

import sqlalchemy as sa

from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement
from imgproc.db.models import ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import UNDELIVERED, DeliveryStatus
from imgproc.db.transitions.deliveries import is_due

WINDOW = 16  # due deliveries of an owner per one being sent; a fast receiver empties such a window in a second


def postpone(*, most_of_owner: int, most_of_receiver: int, delay: float, limit: int) -> int:
    """Delay deliveries of which an owner or a receiver has too many among the first `limit` due ones. Returns how many.

    Without this a sweep might see only the webhooks of one owner, or of many owners to one receiver that never answers.
    """
    in_index = WebhookDelivery.status.in_(sa.bindparam("open", UNDELIVERED, expanding=True, literal_execute=True))
    due = (
        sa.select(
            WebhookDelivery.id, WebhookDelivery.request_id, WebhookDelivery.receiver, WebhookDelivery.next_attempt_at
        )
        .where(in_index, is_due())
        .order_by(WebhookDelivery.next_attempt_at)
        .limit(limit)
        .subquery()
    )
    of_owner = sa.func.row_number().over(partition_by=ProcessingRequest.owner, order_by=due.c.next_attempt_at)
    of_receiver = sa.func.row_number().over(partition_by=due.c.receiver, order_by=due.c.next_attempt_at)
    ranked = sa.select(due.c.id, due.c.receiver, of_owner.label("of_owner"), of_receiver.label("of_receiver"))
    ranks = ranked.join(ProcessingRequest, ProcessingRequest.id == due.c.request_id).subquery().c
    crowds_receiver = sa.and_(ranks.receiver.is_not(None), ranks.of_receiver > WINDOW * most_of_receiver)
    excess = sa.select(ranks.id).where(sa.or_(ranks.of_owner > WINDOW * most_of_owner, crowds_receiver))
    statement = (
        sa.update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(excess), WebhookDelivery.status == DeliveryStatus.PENDING)
        .values(next_attempt_at=db_now(delay))
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount
