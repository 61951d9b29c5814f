"""The last transitions of a processing request: processing → finalizing → an end, announced in the outbox.

A plan or a finalization that loses its worker again and again ends the request as failed.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.core.errors import LeaseLost
from imgproc.db.dialects import db_now
from imgproc.db.engine import single_statement, transaction
from imgproc.db.models import DeliveryStatus, ProcessingRequest, RequestStatus, WebhookDelivery
from imgproc.db.transitions.requests import lease_is_free, leased

UNPLANNED = (RequestStatus.PENDING, RequestStatus.PROCESSING)
CSV_TOKEN_BYTES = 16  # 128 bits; in hexadecimal, as no file system takes two of those for one


def elect_finalizer(request_id: str) -> int | None:
    """Make the caller the one who rings the finalizer; the epoch, or None where work is left or another was elected.

    This runs in a transaction of its own, after the finishing one has committed: inside it, two last products that
    finish together each see the other unfinished, and nobody is elected.
    """
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status == RequestStatus.PROCESSING, all_products_ended())
        .values(
            status=RequestStatus.FINALIZING,
            finalize_epoch=request.finalize_epoch + 1,
            attempt=0,
            lease_token=None,
            lease_until=None,
        )
        .returning(request.finalize_epoch)
    )
    with single_statement() as connection:
        return connection.execute(statement).scalar_one_or_none()


def all_products_ended() -> sa.ColumnElement[bool]:
    """SQL: every row of the file is saved, and the counters say that every product has ended."""
    request = ProcessingRequest
    ended = request.products_completed + request.products_failed + request.products_cancelled
    return sa.and_(request.planned_at.is_not(None), ended == request.products_total)


def claim_finalize(request_id: str, *, epoch: int, token: str, lease_seconds: int) -> bool:
    """Lease the finalization of this epoch; False where it is done, superseded or leased.

    The first claim makes the random part of the CSVs' keys. Later claims keep it, so that a finalizer that runs again,
    or after a retry, writes the same objects.
    """
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status == RequestStatus.FINALIZING)
        .where(request.finalize_epoch == epoch, lease_is_free(token))
        .values(
            **leased(token, lease_seconds=lease_seconds),
            csv_token=sa.func.coalesce(request.csv_token, secrets.token_hex(CSV_TOKEN_BYTES)),
        )
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1


def supersede_finalizer(request_id: str, *, epoch: int, max_attempts: int) -> int | None:
    """Replace a finalizer whose lease ran out, so that its late completion changes nothing; the new epoch or None.

    Also None where that was the last attempt.
    """
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status == RequestStatus.FINALIZING)
        .where(request.finalize_epoch == epoch, has_expired(), request.attempt < max_attempts)
        .values(finalize_epoch=request.finalize_epoch + 1, lease_token=None, lease_until=None)
        .returning(request.finalize_epoch)
    )
    with single_statement() as connection:
        return connection.execute(statement).scalar_one_or_none()


def has_expired() -> sa.ColumnElement[bool]:
    """SQL: the request was leased, and its lease has run out."""
    request = ProcessingRequest
    return sa.and_(request.lease_token.is_not(None), request.lease_until < db_now())


def complete(
    request_id: str,
    *,
    epoch: int,
    token: str,
    status: RequestStatus,
    values: dict[str, Any],
    payload: dict[str, Any],
) -> str | None:
    """End a finalized request and put its announcement in the outbox, in one transaction; the delivery's id, if any.

    `values` holds the keys of the two CSVs, whether they are private, and the error, if the request failed.

    Raises:
        LeaseLost: another finalizer has taken over; nothing changed.
    """
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status == RequestStatus.FINALIZING)
        .where(request.finalize_epoch == epoch, request.lease_token == token)
        .values(status=status, finished_at=db_now(), lease_token=None, lease_until=None, **values)
        .returning(request.webhook_url)
    )
    with transaction() as connection:
        ended = connection.execute(statement).one_or_none()
        if ended is None:
            raise LeaseLost("Another finalizer has taken over this request.")
        return _announce(connection, request_id, epoch=epoch, url=ended.webhook_url, payload=payload)


@dataclass(frozen=True)
class Failed:
    """A request that has failed just now, and the delivery that announces it, if there is a webhook."""

    delivery_id: str | None


def fail(request_id: str, *, token: str, code: str, detail: str, payload: dict[str, Any]) -> str | None:
    """End a request that cannot be planned at all; the delivery's id, if there is a webhook.

    Raises:
        LeaseLost: another worker plans the request now; nothing changed.
    """
    ours = ProcessingRequest.lease_token == token
    failed = _fail(request_id, ours, UNPLANNED, code=code, detail=detail, payload=payload)
    if failed is None:
        raise LeaseLost("Another worker plans this request now.")
    return failed.delivery_id


def lose(
    request_id: str, *, step: RequestStatus, max_attempts: int, code: str, detail: str, payload: dict[str, Any]
) -> Failed | None:
    """Fail a request whose plan or finalization lost its last worker; None where a worker still holds it.

    `step` is FINALIZING for a finalization, and any other status for a plan. Finished images stay.
    """
    used_up = sa.and_(has_expired(), ProcessingRequest.attempt >= max_attempts)
    statuses = (step,) if step is RequestStatus.FINALIZING else UNPLANNED
    return _fail(request_id, used_up, statuses, code=code, detail=detail, payload=payload)


def _fail(
    request_id: str,
    condition: sa.ColumnElement[bool],
    statuses: tuple[RequestStatus, ...],
    *,
    code: str,
    detail: str,
    payload: dict[str, Any],
) -> Failed | None:
    """End and announce a request, in one transaction. A new epoch fences a late finalizer."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status.in_(statuses), condition)
        .values(
            status=RequestStatus.FAILED,
            error_code=code,
            error_detail=detail,
            output_key=None,
            failed_key=None,
            finished_at=db_now(),
            finalize_epoch=request.finalize_epoch + 1,
            lease_token=None,
            lease_until=None,
        )
        .returning(request.webhook_url, request.finalize_epoch)
    )
    with transaction() as connection:
        ended = connection.execute(statement).one_or_none()
        if ended is None:
            return None
        url, epoch = ended.webhook_url, ended.finalize_epoch
        return Failed(_announce(connection, request_id, epoch=epoch, url=url, payload=payload))


def _announce(
    connection: Connection, request_id: str, *, epoch: int, url: str | None, payload: dict[str, Any]
) -> str | None:
    if url is None:
        return None
    delivery_id = str(uuid.uuid4())
    connection.execute(
        sa.insert(WebhookDelivery).values(
            id=delivery_id,
            request_id=request_id,
            finalize_epoch=epoch,
            url=url,
            payload=payload,
            status=DeliveryStatus.PENDING,
            next_attempt_at=db_now(),
        )
    )
    return delivery_id
