"""The transitions of a webhook delivery: pending → sending → delivered, failed, or pending again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from imgproc.extensions import single_statement, transaction
from imgproc.models import DeliveryAttempt, DeliveryStatus, WebhookDelivery
from imgproc.sql import db_now


@dataclass(frozen=True)
class DeliveryClaim:
    """What is needed to send one delivery; `retries` counts the attempts of the present round of the schedule."""

    url: str
    payload: dict[str, Any]
    attempts: int
    retries: int


@dataclass(frozen=True)
class Outcome:
    """What one attempt brought: the next one comes after `retry_in` seconds, or never where it is None."""

    status: DeliveryStatus
    duration_ms: int
    response_status: int | None = None
    error_code: str | None = None
    error_detail: str | None = None
    retry_in: float | None = None


def claim(delivery_id: str, *, token: str, lease_seconds: float) -> DeliveryClaim | None:
    """Lease a delivery that is due; None where it is not, or is being sent."""
    delivery = WebhookDelivery
    due = sa.and_(delivery.status == DeliveryStatus.PENDING, delivery.next_attempt_at <= db_now())
    expired = sa.and_(delivery.status == DeliveryStatus.SENDING, delivery.lease_until < db_now())
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id, sa.or_(due, expired))
        .values(status=DeliveryStatus.SENDING, lease_token=token, lease_until=db_now(lease_seconds))
        .returning(delivery.url, delivery.payload, delivery.attempts, delivery.retries)
    )
    with single_statement() as connection:
        claimed = connection.execute(statement).one_or_none()
        return None if claimed is None else DeliveryClaim(**claimed._mapping)


def record(delivery_id: str, outcome: Outcome, *, token: str) -> bool:
    """Write one attempt to the log and move the delivery on; False where the lease was lost."""
    delivery = WebhookDelivery
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id, delivery.lease_token == token)
        .values(
            status=outcome.status,
            attempts=delivery.attempts + 1,
            retries=delivery.retries + 1,
            last_response_status=outcome.response_status,
            next_attempt_at=None if outcome.retry_in is None else db_now(outcome.retry_in),
            lease_token=None,
            lease_until=None,
        )
        .returning(delivery.attempts)
    )
    with transaction() as connection:
        number = connection.execute(statement).scalar_one_or_none()
        if number is None:
            return False
        connection.execute(
            sa.insert(DeliveryAttempt).values(
                delivery_id=delivery_id,
                number=number,
                response_status=outcome.response_status,
                error_code=outcome.error_code,
                error_detail=outcome.error_detail,
                duration_ms=outcome.duration_ms,
            )
        )
        return True


def redeliver(request_id: str, delivery_id: str) -> bool:
    """Make a delivery due again, with a fresh schedule; False where there is none or it is being sent."""
    delivery = WebhookDelivery
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id, delivery.request_id == request_id)
        .where(delivery.status != DeliveryStatus.SENDING)
        .values(status=DeliveryStatus.PENDING, retries=0, next_attempt_at=db_now())
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1
