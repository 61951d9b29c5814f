"""The transitions of a processing request: pending → processing → finalizing → an end."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.errors import LeaseLost
from imgproc.extensions import transaction
from imgproc.lifecycle.products import cancel_unstarted, reopen_failed
from imgproc.models import (
    ENDED,
    DeliveryStatus,
    ImageStatus,
    ProcessingRequest,
    Product,
    ProductImage,
    ProductStatus,
    RequestStatus,
    WebhookDelivery,
    db_now,
)

CANCELLED_DETAIL = "The request was cancelled before this image was started; retry the request to process it."


@dataclass(frozen=True)
class PlannedRow:
    """One row of the file as the plan saves it; a row with an error is kept as skipped."""

    row: int
    line: int
    serial_number: str
    product_name: str
    input_cell: str
    urls: Sequence[str]
    error_code: str | None = None
    error_detail: str | None = None


@dataclass(frozen=True)
class PlanClaim:
    """What the plan needs: where the file is, and the last row an earlier, dead plan has saved."""

    input_key: str
    last_row: int


def create(**values: Any) -> None:
    """Insert a pending request.

    Raises:
        sqlalchemy.exc.IntegrityError: the owner's idempotency key is taken.
    """
    with transaction() as connection:
        connection.execute(sa.insert(ProcessingRequest).values(**values))


def claim_plan(request_id: str, *, token: str, lease_seconds: int) -> PlanClaim | None:
    """Lease the planning of a request; None where it is planned, ended, or another worker plans it."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status.in_([RequestStatus.PENDING, RequestStatus.PROCESSING]))
        .where(request.planned_at.is_(None), _lease_is_free(token))
        .values(
            status=RequestStatus.PROCESSING,
            started_at=sa.func.coalesce(request.started_at, db_now()),
            lease_token=token,
            lease_until=db_now(lease_seconds),
        )
        .returning(request.input_key)
    )
    last_row = sa.select(sa.func.coalesce(sa.func.max(Product.row), 0)).where(Product.request_id == request_id)
    with transaction() as connection:
        input_key = connection.execute(statement).scalar_one_or_none()
        return None if input_key is None else PlanClaim(input_key, connection.execute(last_row).scalar_one())


def add_products(request_id: str, rows: Sequence[PlannedRow], *, token: str, lease_seconds: int) -> None:
    """Save a chunk of planned rows and renew the plan's lease, in one transaction.

    Raises:
        LeaseLost: another plan has taken over; nothing was saved.
    """
    fence = (
        sa.update(ProcessingRequest)
        .where(ProcessingRequest.id == request_id, ProcessingRequest.lease_token == token)
        .values(lease_until=db_now(lease_seconds))
        .returning(ProcessingRequest.cancel_requested_at)
    )
    with transaction() as connection:
        fenced = connection.execute(fence).one_or_none()
        if fenced is None:
            raise LeaseLost("Another worker plans this request now.")
        _insert_products(connection, request_id, rows)
        if fenced.cancel_requested_at is not None:
            _cancel_products(connection, request_id)


def _insert_products(connection: Connection, request_id: str, rows: Sequence[PlannedRow]) -> None:
    products = [
        {
            "request_id": request_id,
            "row": row.row,
            "line": row.line,
            "serial_number": row.serial_number,
            "product_name": row.product_name,
            "input_cell": row.input_cell,
            "status": ProductStatus.SKIPPED if row.error_code else ProductStatus.PENDING,
            "error_code": row.error_code,
            "error_detail": row.error_detail,
        }
        for row in rows
    ]
    insert = sa.insert(Product).returning(Product.id, sort_by_parameter_order=True)
    ids = connection.execute(insert, products).scalars().all()
    images = [
        {"product_id": product_id, "position": position, "source_url": url, "status": ImageStatus.PENDING}
        for product_id, row in zip(ids, rows, strict=True)
        if not row.error_code
        for position, url in enumerate(row.urls, start=1)
    ]
    if images:
        connection.execute(sa.insert(ProductImage), images)


def mark_planned(request_id: str, *, token: str) -> None:
    """Say that every row of the file is saved, and give the lease back."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.lease_token == token)
        .values(planned_at=db_now(), lease_token=None, lease_until=None)
    )
    with transaction() as connection:
        connection.execute(statement)


def renew_lease(request_id: str, *, token: str, lease_seconds: int) -> bool:
    """Extend the lease of a plan or finalizer; False means it is lost."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.lease_token == token)
        .values(lease_until=db_now(lease_seconds))
    )
    with transaction() as connection:
        return connection.execute(statement).rowcount == 1


def return_lease(request_id: str, *, token: str, delay: float) -> None:
    """Give a plan or finalization back untouched, to be tried again after `delay` seconds."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.lease_token == token)
        .values(lease_token=None, lease_until=db_now(delay))
    )
    with transaction() as connection:
        connection.execute(statement)


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
    with transaction() as connection:
        return connection.execute(statement).scalar_one_or_none()


def all_products_ended() -> sa.ColumnElement[bool]:
    """SQL: the counters say that every product has ended."""
    request = ProcessingRequest
    ended = request.products_completed + request.products_failed + request.products_cancelled
    return ended == request.products_total


def claim_finalize(request_id: str, *, epoch: int, token: str, lease_seconds: int) -> bool:
    """Lease the finalization of this epoch; False where it is done, superseded or leased."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.status == RequestStatus.FINALIZING)
        .where(request.finalize_epoch == epoch, _lease_is_free(token))
        .values(lease_token=token, lease_until=db_now(lease_seconds))
    )
    with transaction() as connection:
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
    with transaction() as connection:
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
            planned_at=db_now(),
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


def cancel(request_id: str) -> bool:
    """Stop what has not started; False where the request has ended or is already cancelled or finalizing."""
    request = ProcessingRequest
    statement = (
        sa.update(request)
        .where(request.id == request_id, request.cancel_requested_at.is_(None))
        .where(request.status.in_([RequestStatus.PENDING, RequestStatus.PROCESSING]))
        .values(cancel_requested_at=db_now())
    )
    with transaction() as connection:
        if connection.execute(statement).rowcount == 0:
            return False
        _cancel_products(connection, request_id)
        return True


def cancel_stragglers(request_id: str) -> None:
    """Cancel the products that came back from a worker after their request was cancelled."""
    request = ProcessingRequest
    lock = (
        sa.select(request.id)
        .where(request.id == request_id, request.status == RequestStatus.PROCESSING)
        .where(request.cancel_requested_at.is_not(None))
        .with_for_update()
    )
    with transaction() as connection:
        if connection.execute(lock).one_or_none() is not None:
            _cancel_products(connection, request_id)


def _cancel_products(connection: Connection, request_id: str) -> None:
    products, images = cancel_unstarted(connection, request_id, detail=CANCELLED_DETAIL)
    request = ProcessingRequest
    connection.execute(
        sa.update(request)
        .where(request.id == request_id)
        .values(
            products_cancelled=request.products_cancelled + products,
            images_cancelled=request.images_cancelled + images,
        )
    )


def retry(request_id: str) -> bool:
    """Reopen an ended request for its failed and cancelled images; False where it has not ended or none failed."""
    request = ProcessingRequest
    reopen = (
        sa.update(request)
        .where(request.id == request_id, request.status.in_(ENDED))
        .where(request.products_failed + request.products_cancelled > 0)
        .values(status=RequestStatus.PROCESSING, finished_at=None, cancel_requested_at=None)
    )
    with transaction() as connection:
        if connection.execute(reopen).rowcount == 0:
            return False
        reopen_failed(connection, request_id)
        reset = dict.fromkeys(("products_failed", "products_cancelled", "images_failed", "images_cancelled"), 0)
        connection.execute(sa.update(request).where(request.id == request_id).values(**reset))
        return True


def delete(request_id: str) -> bool:
    """Remove a request with all its rows; work under way loses its lease. False where there is none."""
    with transaction() as connection:
        statement = sa.delete(ProcessingRequest).where(ProcessingRequest.id == request_id)
        return connection.execute(statement).rowcount == 1


def _lease_is_free(token: str) -> sa.ColumnElement[bool]:
    """SQL: nobody holds the lease, or we do (our claim was committed but its answer was lost)."""
    request = ProcessingRequest
    return sa.or_(request.lease_until.is_(None), request.lease_until < db_now(), request.lease_token == token)
