"""The last transitions of a processing request: processing → finalizing → ended, announced in the outbox.

A request ends as failed once MAX_ATTEMPTS workers have died planning or finalizing it.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.core.errors import LeaseLost
from imgproc.core.hosts import receiver_of
from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import UNFINALIZED, DeliveryStatus, RequestStatus
from imgproc.db.transitions.leases import is_used_up, run_alone
from imgproc.db.transitions.requests import LEASED, MAY_LEASE, MOST_LARGE, THIS

# Makes the webhook's body, given the time when the request ended.
Announce = Callable[[datetime], dict[str, Any]]

CSV_TOKEN_BYTES = 16  # 128 bits, written in hexadecimal so that file systems that ignore case keep tokens apart


@dataclass(frozen=True)
class FinalizeClaim:
    """The finalization of a request is leased; `traceparent` names its trace."""

    traceparent: str | None


def all_products_ended() -> sa.ColumnElement[bool]:
    """SQL: every row of the file is saved, and every product has ended."""
    all_ended = ProcessingRequest.products_ended == ProcessingRequest.products_total
    return sa.and_(ProcessingRequest.planned_at.is_not(None), all_ended)


# Built once, because building a statement takes longer than running it.
_ELECT = (
    sa.update(ProcessingRequest)
    .where(ProcessingRequest.id == THIS, ProcessingRequest.status == RequestStatus.PROCESSING)
    .where(all_products_ended())
    .values(
        status=RequestStatus.FINALIZING,
        finalize_epoch=ProcessingRequest.finalize_epoch + 1,
        attempt=0,
        alone=False,
        lease_token=None,
        lease_until=None,
    )
    .returning(ProcessingRequest.finalize_epoch)
)
_CLAIM = (
    sa.update(ProcessingRequest)
    .where(ProcessingRequest.id == THIS, ProcessingRequest.status == RequestStatus.FINALIZING)
    .where(ProcessingRequest.finalize_epoch == sa.bindparam("epoch", type_=sa.Integer), MAY_LEASE)
    .values(
        **LEASED,
        csv_token=sa.func.coalesce(ProcessingRequest.csv_token, sa.bindparam("new_token", type_=sa.String)),
    )
    .returning(ProcessingRequest.traceparent)
)


def elect_finalizer(request_id: str) -> int | None:
    """Make the caller the one that enqueues the finalization. Returns its epoch, or None if another was elected.

    Also returns None while products are left. Call it after the transaction that ended the last product: within it, two
    last products that finish at the same time each see the other unfinished, and neither is elected.
    """
    with single_statement() as connection:
        return connection.execute(_ELECT, {"this": request_id}).scalar_one_or_none()


def claim_finalize(
    request_id: str, *, epoch: int, token: str, lease_seconds: int, most_large: int = MOST_LARGE, alone: bool = False
) -> FinalizeClaim | None:
    """Lease the finalization of this epoch. Returns None if it is done, superseded or leased.

    Also returns None for a large file while `most_large` are planned or finalized, and for one that must run `alone`.

    The first claim makes the random part of the CSVs' keys. Later claims keep it, so that a finalizer that runs again,
    or after a retry, writes the same objects.
    """
    values = {
        "this": request_id,
        "epoch": epoch,
        "token": token,
        "seconds": lease_seconds,
        "most_large": most_large,
        "runs_alone": alone,
        "new_token": secrets.token_hex(CSV_TOKEN_BYTES),
    }
    with single_statement() as connection:
        claimed = connection.execute(_CLAIM, values).one_or_none()
    return FinalizeClaim(claimed.traceparent) if claimed else None


def supersede_finalizer(request_id: str, *, epoch: int, max_attempts: int) -> int | None:
    """Replace a finalizer whose lease has expired, so that its late completion changes nothing.

    Returns the new epoch, or None if the lease has not expired or that was the last attempt.
    """
    statement = (
        sa.update(ProcessingRequest)
        .where(_is_finalizing(request_id, epoch=epoch), has_expired())
        .where(~is_used_up(ProcessingRequest, max_attempts=max_attempts))
        .values(finalize_epoch=ProcessingRequest.finalize_epoch + 1, **run_alone(ProcessingRequest))
        .returning(ProcessingRequest.finalize_epoch)
    )
    with single_statement() as connection:
        return connection.execute(statement).scalar_one_or_none()


def _is_finalizing(request_id: str, *, epoch: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        ProcessingRequest.id == request_id,
        ProcessingRequest.status == RequestStatus.FINALIZING,
        ProcessingRequest.finalize_epoch == epoch,
    )


def has_expired() -> sa.ColumnElement[bool]:
    """SQL: the request is leased, and its lease has expired."""
    return sa.and_(ProcessingRequest.lease_token.is_not(None), ProcessingRequest.lease_until < db_now())


@dataclass(frozen=True)
class Ended:
    """A request that has just ended. `delivery_id` is the delivery that announces it; None without a webhook."""

    delivery_id: str | None


def complete(
    request_id: str,
    *,
    epoch: int,
    token: str,
    status: RequestStatus,
    values: dict[str, Any],
    announce: Announce,
) -> str | None:
    """End a finalized request and put its announcement in the outbox. Returns the delivery's id, if there is a webhook.

    `values` holds the keys of the two CSVs, whether they are private, and the error of a failed request.

    Raises:
        LeaseLost: another worker finalizes the request now; nothing was changed.
    """
    is_ours = sa.and_(_is_finalizing(request_id, epoch=epoch), ProcessingRequest.lease_token == token)
    ended = _end(request_id, is_ours, values | {"status": status}, announce)
    if ended is None:
        raise LeaseLost("Another worker finalizes this request now.")
    return ended.delivery_id


def fail(request_id: str, *, token: str, code: str, detail: str, announce: Announce) -> str | None:
    """Fail a request that cannot be planned. Returns the delivery's id, if there is a webhook.

    Raises:
        LeaseLost: another worker plans the request now; nothing was changed.
    """
    is_ours = sa.and_(ProcessingRequest.status.in_(UNFINALIZED), ProcessingRequest.lease_token == token)
    ended = _end(request_id, is_ours, _failure(code, detail), announce)
    if ended is None:
        raise LeaseLost("Another worker plans this request now.")
    return ended.delivery_id


def lose(
    request_id: str, *, step: RequestStatus, max_attempts: int, code: str, detail: str, announce: Announce
) -> Ended | None:
    """Fail a request whose plan or finalization has lost its last worker. Returns None if a worker still holds it.

    `step` is FINALIZING for a finalization, and any other status for a plan. Finished images are kept.
    """
    statuses = (step,) if step is RequestStatus.FINALIZING else UNFINALIZED
    used_up = is_used_up(ProcessingRequest, max_attempts=max_attempts)
    condition = sa.and_(ProcessingRequest.status.in_(statuses), has_expired(), used_up)
    return _end(request_id, condition, _failure(code, detail), announce)


def _failure(code: str, detail: str) -> dict[str, Any]:
    """The columns of a request that has failed. A new epoch fences a late finalizer."""
    return {
        "status": RequestStatus.FAILED,
        "error_code": code,
        "error_detail": detail,
        "output_key": None,
        "failed_key": None,
        "finalize_epoch": ProcessingRequest.finalize_epoch + 1,
    }


def _end(
    request_id: str, condition: sa.ColumnElement[bool], values: dict[str, Any], announce: Announce
) -> Ended | None:
    """End and announce a request, in one transaction. Returns None if the condition does not hold."""
    statement = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, condition)
        .values(finished_at=db_now(), lease_token=None, lease_until=None, **values)
        .returning(ProcessingRequest.webhook_url, ProcessingRequest.finalize_epoch, ProcessingRequest.finished_at)
    )
    with transaction() as connection:
        ended = connection.execute(statement).one_or_none()
        if ended is None:
            return None
        if ended.webhook_url is None:
            return Ended(None)
        body = announce(ended.finished_at)
        return Ended(_announce(connection, request_id, epoch=ended.finalize_epoch, url=ended.webhook_url, body=body))


def _announce(connection: Connection, request_id: str, *, epoch: int, url: str, body: dict[str, Any]) -> str:
    """Put a delivery in the outbox and return its id."""
    delivery_id = str(uuid.uuid4())
    connection.execute(
        sa.insert(WebhookDelivery).values(
            id=delivery_id,
            request_id=request_id,
            finalize_epoch=epoch,
            url=url,
            receiver=receiver_of(url),
            payload=body,
            status=DeliveryStatus.PENDING,
            next_attempt_at=db_now(),
        )
    )
    return delivery_id
