"""The last transitions of a processing request: processing → finalizing → an end, announced in the outbox."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.errors import LeaseLost
from imgproc.extensions import single_statement, transaction
from imgproc.lifecycle.requests import lease_is_free
from imgproc.models import DeliveryStatus, ProcessingRequest, RequestStatus, WebhookDelivery
from imgproc.sql import db_now


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
    """Lease the finalization of this epoch; False where it is done, superseded or leased."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status == RequestStatus.FINALIZING)
        .where(request.finalize_epoch == epoch, lease_is_free(token))
        .values(lease_token=token, lease_until=db_now(lease_seconds))
    )
    with single_statement() as connection:
        return connection.execute(statement).rowcount == 1


def supersede_finalizer(request_id: str, *, epoch: int) -> int | None:
    """Replace a finalizer whose lease ran out, so that its late completion changes nothing; the new epoch or None."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status == RequestStatus.FINALIZING)
        .where(request.finalize_epoch == epoch, request.lease_until < db_now())
        .values(finalize_epoch=request.finalize_epoch + 1, lease_token=None, lease_until=None)
        .returning(request.finalize_epoch)
    )
    with single_statement() as connection:
        return connection.execute(statement).scalar_one_or_none()


def complete(
    request_id: str,
    *,
    epoch: int,
    token: str,
    status: RequestStatus,
    values: dict[str, str | None],
    payload: dict[str, Any],
) -> str | None:
    """End a finalized request and put its announcement in the outbox, in one transaction; the delivery's id, if any.

    `values` holds the keys of the two CSVs and the error, if the request failed.

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


def fail(request_id: str, *, token: str, code: str, detail: str, payload: dict[str, Any]) -> str | None:
    """End a request that cannot be planned at all; the delivery's id, if there is a webhook."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.lease_token == token)
        .where(request.status.in_([RequestStatus.PENDING, RequestStatus.PROCESSING]))
        .values(
            status=RequestStatus.FAILED,
            error_code=code,
            error_detail=detail,
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
            raise LeaseLost("Another worker plans this request now.")
        return _announce(connection, request_id, epoch=ended.finalize_epoch, url=ended.webhook_url, payload=payload)


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
