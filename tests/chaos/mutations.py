"""Deliberate defects that the suite must find: each removes one thing that a promise depends on."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from imgproc.core.errors import LeaseLost
from imgproc.db.dialects import db_now
from imgproc.db.engine import transaction
from imgproc.db.models import ProcessingRequest, Product
from imgproc.db.statuses import ProductStatus, RequestStatus
from imgproc.db.transitions import finalization, products
from imgproc.worker import sweeper

SLOW_COMMIT = 0.1  # seconds that a finishing transaction stays open, as on a slow disk
UNFINISHED = (ProductStatus.PENDING, ProductStatus.QUEUED, ProductStatus.PROCESSING)


def election_inside() -> None:
    """Elect the finalizer inside the transaction that finishes a product, which cannot see another product finish."""
    leave = products._leave

    def leave_and_elect(connection: Connection, product_id: int, token: str, **values: Any) -> Any:
        left = leave(connection, product_id, token, **values)
        unfinished = sa.exists().where(Product.request_id == ProcessingRequest.id, Product.status.in_(UNFINISHED))
        elect = sa.update(ProcessingRequest).where(
            ProcessingRequest.id == left[0], ProcessingRequest.status == RequestStatus.PROCESSING, ~unfinished
        )
        elected = {"status": RequestStatus.FINALIZING, "finalize_epoch": ProcessingRequest.finalize_epoch + 1}
        connection.execute(elect.values(elected))
        time.sleep(SLOW_COMMIT)
        return left

    def elected_before(request_id: str) -> int | None:
        """The epoch of the election that the commit has already made."""
        statement = sa.select(ProcessingRequest.finalize_epoch).where(ProcessingRequest.id == request_id)
        with transaction() as connection:
            return connection.execute(
                statement.where(
                    ProcessingRequest.status == RequestStatus.FINALIZING, ProcessingRequest.lease_token.is_(None)
                )
            ).scalar_one_or_none()

    _replace(products, "_leave", leave_and_elect)
    _replace(finalization, "elect_finalizer", elected_before)


def no_fencing() -> None:
    """Let a worker finish a product and renew its lease after the lease has expired."""

    def leave(connection: Connection, product_id: int, _token: str, **values: Any) -> tuple[str, ProductStatus]:
        statement = sa.update(Product).where(Product.id == product_id).values(lease_token=None, **values)
        left = connection.execute(statement.returning(Product.request_id, Product.status)).one_or_none()
        if left is None:
            raise LeaseLost("The product is gone.")
        return left.request_id, left.status

    _replace(products, "_leave", leave)
    _replace(products, "renew_lease", lambda *_arguments, **_options: True)


def sweeper_compares_null() -> None:
    """Miss plans that were never claimed: their `lease_until` is NULL, and NULL is never less than the time."""

    def unplanned(_seconds: float) -> sa.Select[Any]:
        return (
            sa.select(ProcessingRequest.id)
            .where(ProcessingRequest.status.in_([RequestStatus.PENDING, RequestStatus.PROCESSING]))
            .where(ProcessingRequest.planned_at.is_(None), ProcessingRequest.lease_until < db_now())
        )

    _replace(sweeper, "_unplanned", unplanned)


def finalize_without_epoch() -> None:
    """Let a finalizer end the request whatever its epoch, even if another one holds the lease."""

    def complete(request_id: str, *, epoch: int, token: str, status: Any, values: Any, announce: Any) -> str | None:
        statement = (
            sa.update(ProcessingRequest)
            .where(ProcessingRequest.id == request_id)
            .values(status=status, finished_at=db_now(), lease_token=None, lease_until=None, **values)
            .returning(ProcessingRequest.webhook_url, ProcessingRequest.finished_at)
        )
        with transaction() as connection:
            url, finished_at = connection.execute(statement).one()
            if url is None:
                return None
            body = announce(finished_at)
            return finalization._announce(connection, request_id, epoch=epoch, url=url, body=body)

    _replace(finalization, "complete", complete)


MUTATIONS: dict[str, Callable[[], None]] = {
    mutation.__name__: mutation
    for mutation in (election_inside, no_fencing, sweeper_compares_null, finalize_without_epoch)
}


def apply(name: str) -> None:
    """Apply the named defect to this process; the empty name applies none."""
    if name:
        MUTATIONS[name]()


def _replace(module: ModuleType, name: str, defect: Callable[..., Any]) -> None:
    """Put `defect` in place of a function.

    Raises:
        TypeError: the function takes other arguments now, so the defect would only crash.
    """
    parameters = inspect.signature(getattr(module, name)).parameters.values()
    positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    named = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    inspect.signature(defect).bind(*positional, **named)
    setattr(module, name, defect)
