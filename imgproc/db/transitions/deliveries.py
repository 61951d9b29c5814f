"""The transitions of a webhook delivery: pending → sending → delivered, failed, or pending again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, aliased

from imgproc.db.batch import Batch
from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import DeliveryAttempt, ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import DeliveryStatus
from imgproc.db.transitions.leases import renew


def _of_request(column: InstrumentedAttribute[Any]) -> sa.Label[Any]:
    """SQL: a column of the delivery's request."""
    found = sa.select(column).where(ProcessingRequest.id == WebhookDelivery.request_id).correlate(WebhookDelivery)
    return found.scalar_subquery().label(column.key)


OWNER = _of_request(ProcessingRequest.owner)
MOST = 1000  # deliveries of one owner, or to one receiver, being sent at a time, unless the caller gives other limits
KEPT_ATTEMPTS = 25  # of a delivery; the log drops older ones, however often it is sent again
CLAIMS_LOCK = 0x64656C69  # the advisory lock of PostgreSQL under which deliveries are counted and claimed


@dataclass(frozen=True)
class DeliveryClaim:
    """What a worker needs to send a delivery; `retries` counts the attempts since the schedule last began.

    `owner` is the id of the key with which the request came, or empty.
    """

    owner: str
    url: str
    payload: dict[str, Any]
    retries: int
    request_id: str = ""
    traceparent: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt. The next attempt is due after `retry_in` seconds; None means never.

    `duration_ms` is None if the worker died. `request_headers` is None if nothing was signed.
    """

    status: DeliveryStatus
    duration_ms: int | None
    request_headers: dict[str, str] | None = None
    response_status: int | None = None
    response_headers: dict[str, str] | None = None
    response_body: str | None = None
    error_code: str | None = None
    error_detail: str | None = None
    retry_in: float | None = None


def is_due() -> sa.ColumnElement[bool]:
    """SQL: the delivery waits, and its next attempt is due."""
    return sa.and_(WebhookDelivery.status == DeliveryStatus.PENDING, WebhookDelivery.next_attempt_at <= db_now())


def is_expired() -> sa.ColumnElement[bool]:
    """SQL: the delivery is leased, and its lease has expired."""
    return sa.and_(WebhookDelivery.status == DeliveryStatus.SENDING, WebhookDelivery.lease_until < db_now())


def claim(
    delivery_id: str, *, token: str, lease_seconds: float, most_of_owner: int = MOST, most_of_receiver: int = MOST
) -> DeliveryClaim | None:
    """Lease a due delivery. Returns None if it is not due, or if so many of its owner or its receiver are being sent.

    So an owner whose receivers never answer does not hold all workers, and the webhooks of many owners do not flood one
    receiver. Claims are made one at a time: at the same moment, each would not see the other.
    """
    values = {
        "this": delivery_id,
        "token": token,
        "seconds": lease_seconds,
        "most_of_owner": most_of_owner,
        "most_of_receiver": most_of_receiver,
    }
    with single_statement() as connection:
        # SQLite has one writer at a time.
        claim_one = _LOCKED_CLAIM if connection.dialect.name == "postgresql" else _CLAIM
        *_, claimed = claim_one.run(connection, values)
    return DeliveryClaim(**claimed[0]) if claimed else None


def _sending_of_owner() -> sa.ScalarSelect[int]:
    """SQL: how many deliveries of the owner are being sent."""
    other, theirs = aliased(WebhookDelivery), aliased(ProcessingRequest)
    owner = sa.select(theirs.owner).where(theirs.id == other.request_id).correlate(other).scalar_subquery()
    return _count_sending(other, owner == OWNER)


def _sending_to_receiver() -> sa.ScalarSelect[int]:
    """SQL: how many deliveries to the receiver are being sent, of whatever owner."""
    other = aliased(WebhookDelivery)
    return _count_sending(other, other.receiver == WebhookDelivery.receiver)


def _count_sending(other: type[WebhookDelivery], condition: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """SQL: how many deliveries with this condition are being sent.

    It starts from the few deliveries being sent, which a partial index holds. A join might start from all requests of
    the owner.
    """
    # A literal, because databases use a partial index only if they can see the status.
    sending = sa.literal(DeliveryStatus.SENDING, other.status.type, literal_execute=True)
    return (
        sa.select(sa.func.count())
        .select_from(other)
        .where(other.status == sending, other.lease_until > db_now(), condition)
        .correlate(WebhookDelivery)
        .scalar_subquery()
    )


# Built once, because building a statement takes longer than running it.
_CLAIM_DUE = (
    sa.update(WebhookDelivery)
    .where(WebhookDelivery.id == sa.bindparam("this", type_=WebhookDelivery.id.type), is_due())
    .where(_sending_of_owner() < sa.bindparam("most_of_owner", type_=sa.Integer))
    .where(_sending_to_receiver() < sa.bindparam("most_of_receiver", type_=sa.Integer))
    .values(
        status=DeliveryStatus.SENDING,
        attempt=WebhookDelivery.attempt + 1,
        lease_token=sa.bindparam("token", type_=WebhookDelivery.lease_token.type),
        lease_until=db_now(sa.bindparam("seconds", type_=sa.Float)),
    )
    .returning(
        OWNER,
        WebhookDelivery.url,
        WebhookDelivery.payload,
        WebhookDelivery.retries,
        WebhookDelivery.request_id,
        _of_request(ProcessingRequest.traceparent),
    )
)
_CLAIM = Batch(_CLAIM_DUE)
_LOCKED_CLAIM = Batch(sa.select(sa.func.pg_advisory_xact_lock(CLAIMS_LOCK).label("locked")), _CLAIM_DUE)


def postpone(delivery_id: str, *, delay: float) -> None:
    """Delay a due delivery that could not be claimed by `delay` seconds, so that not every sweep enqueues it."""
    statement = (
        sa.update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id, is_due())
        .values(next_attempt_at=db_now(delay))
    )
    with single_statement() as connection:
        connection.execute(statement)


def renew_lease(delivery_id: str, *, token: str, lease_seconds: float) -> bool:
    """Extend the lease of a delivery. False means that the lease is lost."""
    return renew(WebhookDelivery, delivery_id, token=token, lease_seconds=lease_seconds)


def give_back(delivery_id: str, *, token: str) -> None:
    """Return a delivery whose worker must stop, without counting the attempt."""
    statement = (
        sa.update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id, WebhookDelivery.lease_token == token)
        .values(
            status=DeliveryStatus.PENDING,
            attempt=WebhookDelivery.attempt - 1,
            next_attempt_at=db_now(),
            lease_token=None,
            lease_until=None,
        )
    )
    with single_statement() as connection:
        connection.execute(statement)


def record(delivery_id: str, outcome: Outcome, *, token: str) -> bool:
    """Log an attempt and update its delivery. Returns False if the lease is lost."""
    is_ours = WebhookDelivery.lease_token == token
    return _end_attempt(delivery_id, is_ours, outcome, attempt=0, retries=WebhookDelivery.retries + 1)


def lose(delivery_id: str, *, max_attempts: int, code: str, detail: str) -> DeliveryStatus | None:
    """Log an attempt whose worker died and make the next one due now, or fail the delivery after `max_attempts`.

    The attempt does not count in the retry schedule, as the receiver was not at fault. Returns the new status, or None
    if the lease has not expired.
    """
    is_used_up = WebhookDelivery.attempt >= max_attempts
    failed = Outcome(DeliveryStatus.FAILED, None, error_code=code, error_detail=detail)
    due_again = Outcome(DeliveryStatus.PENDING, None, error_code=code, error_detail=detail, retry_in=0.0)
    for condition, outcome in ((is_used_up, failed), (~is_used_up, due_again)):
        if _end_attempt(delivery_id, sa.and_(is_expired(), condition), outcome):
            return outcome.status
    return None


def _end_attempt(delivery_id: str, condition: sa.ColumnElement[bool], outcome: Outcome, **values: Any) -> bool:
    """Log an attempt and update its delivery, in one transaction. Returns False if the condition does not hold."""
    statement = (
        sa.update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id, condition)
        .values(
            status=outcome.status,
            attempts=WebhookDelivery.attempts + 1,
            last_response_status=outcome.response_status,
            next_attempt_at=None if outcome.retry_in is None else db_now(outcome.retry_in),
            lease_token=None,
            lease_until=None,
            **values,
        )
        .returning(WebhookDelivery.attempts)
    )
    with transaction() as connection:
        number: int | None = connection.execute(statement).scalar_one_or_none()
        if number is None:
            return False
        connection.execute(_log_attempt(delivery_id, number, outcome))
        if number > KEPT_ATTEMPTS:
            is_old = DeliveryAttempt.number <= number - KEPT_ATTEMPTS
            connection.execute(sa.delete(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id, is_old))
        return True


def _log_attempt(delivery_id: str, number: int, outcome: Outcome) -> sa.Insert:
    return sa.insert(DeliveryAttempt).values(
        delivery_id=delivery_id,
        number=number,
        request_headers=outcome.request_headers,
        response_status=outcome.response_status,
        response_headers=outcome.response_headers,
        response_body=outcome.response_body,
        error_code=outcome.error_code,
        error_detail=outcome.error_detail,
        duration_ms=outcome.duration_ms,
    )


def redeliver(request_id: str, delivery_id: str) -> bool:
    """Make a delivery due again with a fresh schedule. Returns False if it does not exist or is being sent."""
    statement = (
        sa.update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id, WebhookDelivery.request_id == request_id)
        .where(WebhookDelivery.status != DeliveryStatus.SENDING)
        .values(status=DeliveryStatus.PENDING, attempt=0, retries=0, next_attempt_at=db_now())
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1
