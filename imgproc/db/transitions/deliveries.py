"""The transitions of a webhook delivery: pending → sending → delivered, failed, or pending again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import DeliveryAttempt, DeliveryStatus, ProcessingRequest, WebhookDelivery
from imgproc.db.transitions.leases import renew

OWNER = (
    sa.select(ProcessingRequest.owner)
    .where(ProcessingRequest.id == WebhookDelivery.request_id)
    .correlate(WebhookDelivery)
    .scalar_subquery()
    .label("owner")
)
MOST_OF_OWNER = 1000  # deliveries being sent at a time, if the caller sets no other limit
OPEN = (DeliveryStatus.PENDING, DeliveryStatus.SENDING)
WINDOW = 16  # times that many of an owner may be due at a time; a receiver that answers fast empties it in a second


@dataclass(frozen=True)
class DeliveryClaim:
    """What is needed to send one delivery; `retries` counts the attempts of the present round of the schedule.

    `owner` is the id of the key with which the request came, empty without one.
    """

    owner: str
    url: str
    payload: dict[str, Any]
    attempts: int
    retries: int


@dataclass(frozen=True)
class Outcome:
    """What one attempt brought: the next one comes after `retry_in` seconds, or never where it is None.

    `duration_ms` is None where the worker died.
    """

    status: DeliveryStatus
    duration_ms: int | None
    response_status: int | None = None
    error_code: str | None = None
    error_detail: str | None = None
    retry_in: float | None = None


def claim(
    delivery_id: str, *, token: str, lease_seconds: float, most_of_owner: int = MOST_OF_OWNER
) -> DeliveryClaim | None:
    """Lease a delivery that is due; None where it is not, is being sent, or `most_of_owner` of its owner are.

    So a tenant whose receiver never answers holds at most that many workers; two claims at once may exceed it by one.
    """
    delivery = WebhookDelivery
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id)
        .where(delivery.status == DeliveryStatus.PENDING, delivery.next_attempt_at <= db_now())
        .where(_sending_of_owner() < most_of_owner)
        .values(
            status=DeliveryStatus.SENDING,
            attempt=delivery.attempt + 1,
            lease_token=token,
            lease_until=db_now(lease_seconds),
        )
        .returning(OWNER, delivery.url, delivery.payload, delivery.attempts, delivery.retries)
    )
    with single_statement() as connection:
        claimed = connection.execute(statement).one_or_none()
        return None if claimed is None else DeliveryClaim(**claimed._mapping)


def _sending_of_owner() -> sa.ScalarSelect[int]:
    """SQL: how many deliveries of the owner are being sent.

    Few deliveries are being sent, and a partial index holds them; a join might begin with all requests of the owner.
    """
    other, theirs = aliased(WebhookDelivery), aliased(ProcessingRequest)
    # Databases use a partial index only for a status they can see.
    sending = sa.literal(DeliveryStatus.SENDING, other.status.type, literal_execute=True)
    owner = sa.select(theirs.owner).where(theirs.id == other.request_id).correlate(other).scalar_subquery()
    return (
        sa.select(sa.func.count())
        .select_from(other)
        .where(other.status == sending, other.lease_until > db_now(), owner == OWNER)
        .correlate(WebhookDelivery)
        .scalar_subquery()
    )


def put_off(*, most_of_owner: int, delay: float, limit: int) -> int:
    """Delay those of the first `limit` due deliveries that crowd out other owners'; returns how many.

    Otherwise a sweep might see nothing but one tenant's webhooks to a receiver that never answers.
    """
    delivery, request = WebhookDelivery, ProcessingRequest
    of_the_index = delivery.status.in_(sa.bindparam("open", OPEN, expanding=True, literal_execute=True))
    due = (
        sa.select(delivery.id, delivery.request_id, delivery.next_attempt_at)
        .where(of_the_index, delivery.status == DeliveryStatus.PENDING, delivery.next_attempt_at <= db_now())
        .order_by(delivery.next_attempt_at)
        .limit(limit)
        .subquery()
    )
    place = sa.func.row_number().over(partition_by=request.owner, order_by=due.c.next_attempt_at)
    ranked = sa.select(due.c.id, place.label("place")).join(request, request.id == due.c.request_id).subquery()
    crowd = sa.select(ranked.c.id).where(ranked.c.place > WINDOW * most_of_owner)
    statement = (
        sa.update(delivery)
        .where(delivery.id.in_(crowd), delivery.status == DeliveryStatus.PENDING)
        .values(next_attempt_at=db_now(delay))
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount


def step_back(delivery_id: str, *, delay: float) -> None:
    """Let a delivery that is due and found no room wait `delay` seconds, lest it is rung for at each pass in vain."""
    delivery = WebhookDelivery
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id, delivery.status == DeliveryStatus.PENDING)
        .where(delivery.next_attempt_at <= db_now())
        .values(next_attempt_at=db_now(delay))
    )
    with single_statement() as connection:
        connection.execute(statement)


def renew_lease(delivery_id: str, *, token: str, lease_seconds: float) -> bool:
    """Extend the lease of a delivery; False means it is lost."""
    return renew(WebhookDelivery, delivery_id, token=token, lease_seconds=lease_seconds)


def give_back(delivery_id: str, *, token: str) -> None:
    """Return a delivery, as a worker does that must stop now: the attempt does not count."""
    delivery = WebhookDelivery
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id, delivery.lease_token == token)
        .values(
            status=DeliveryStatus.PENDING,
            attempt=delivery.attempt - 1,
            next_attempt_at=db_now(),
            lease_token=None,
            lease_until=None,
        )
    )
    with single_statement() as connection:
        connection.execute(statement)


def record(delivery_id: str, outcome: Outcome, *, token: str) -> bool:
    """Write one attempt to the log and move the delivery on; False where the lease was lost."""
    delivery = WebhookDelivery
    ours = delivery.lease_token == token
    return _leave(delivery_id, ours, outcome, attempt=0, retries=delivery.retries + 1) is not None


def lose(delivery_id: str, *, max_attempts: int, code: str, detail: str) -> DeliveryStatus | None:
    """Log an attempt whose worker died: the next is due at once, or there is none if this was the last.

    It uses up nothing of the retry schedule, as the receiver had no part in it. None where the worker lives after all.
    """
    delivery = WebhookDelivery
    expired = sa.and_(delivery.status == DeliveryStatus.SENDING, delivery.lease_until < db_now())
    for status, retry_in, used_up in (
        (DeliveryStatus.FAILED, None, delivery.attempt >= max_attempts),
        (DeliveryStatus.PENDING, 0.0, delivery.attempt < max_attempts),
    ):
        outcome = Outcome(status, None, error_code=code, error_detail=detail, retry_in=retry_in)
        if _leave(delivery_id, sa.and_(expired, used_up), outcome):
            return status
    return None


def _leave(delivery_id: str, condition: sa.ColumnElement[bool], outcome: Outcome, **values: Any) -> int | None:
    """Leave `sending`, in one transaction with the log; the attempt's number, None where the condition fails."""
    delivery = WebhookDelivery
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id, condition)
        .values(
            status=outcome.status,
            attempts=delivery.attempts + 1,
            last_response_status=outcome.response_status,
            next_attempt_at=None if outcome.retry_in is None else db_now(outcome.retry_in),
            lease_token=None,
            lease_until=None,
            **values,
        )
        .returning(delivery.attempts)
    )
    with transaction() as connection:
        number: int | None = connection.execute(statement).scalar_one_or_none()
        if number is not None:
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
        return number


def redeliver(request_id: str, delivery_id: str) -> bool:
    """Make a delivery due again, with a fresh schedule; False where there is none or it is being sent."""
    delivery = WebhookDelivery
    statement = (
        sa.update(delivery)
        .where(delivery.id == delivery_id, delivery.request_id == request_id)
        .where(delivery.status != DeliveryStatus.SENDING)
        .values(status=DeliveryStatus.PENDING, attempt=0, retries=0, next_attempt_at=db_now())
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1
