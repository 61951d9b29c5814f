"""Enqueues jobs with their turns: owners take turns, then the requests or receivers of an owner.

Small files, and the beginning of large ones, go through a queue of their own, for which some workers are kept free. So
a small file does not wait for any number of large ones. Work whose worker died has a queue of its own, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute

from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.journey.outage import is_outage
from imgproc.queue import enqueue
from imgproc.queue.fair_order import Turn

EXPRESS_ROWS = 128  # the first rows of a file; a file with more is large
CHUNK = 500  # rows whose turns one statement looks up

Lookup = sa.Select[Any, Any, Any, Any, Any]
Key = TypeVar("Key", str, int)


def enqueue_plans(request_ids: Iterable[str]) -> None:
    """Enqueue the planning of each request."""
    _in_chunks(request_ids, _REQUESTS, enqueue.plans)


def enqueue_products(product_ids: Iterable[int]) -> None:
    """Enqueue a job for each product."""
    _in_chunks(product_ids, _PRODUCTS, enqueue.products)


def enqueue_finalization(request_id: str, *, epoch: int) -> None:
    """Enqueue the finalization of this epoch of a request."""
    enqueue.finalization(request_id, epoch=epoch, turn=turn_of(request_id))


def turn_of(request_id: str) -> Turn:
    """The turn of the plan or the finalization of a request."""
    return _turns([request_id], _REQUESTS).get(request_id, enqueue.NO_TURN)


def enqueue_deliveries(delivery_ids: Iterable[str]) -> None:
    """Enqueue each webhook delivery."""
    _in_chunks(delivery_ids, _DELIVERIES, enqueue.deliveries)


def _lookup(key: InstrumentedAttribute[Any], *columns: Any) -> Lookup:
    """The id, the owner, the flow, how large the file is or the part before the product, and if it runs alone."""
    return sa.select(key, ProcessingRequest.owner, *columns).where(key.in_(sa.bindparam("ids", expanding=True)))


# Built once, because building a statement takes longer than running it.
_REQUESTS = _lookup(
    ProcessingRequest.id, ProcessingRequest.id.label("flow"), ProcessingRequest.rows_total, ProcessingRequest.alone
)
_PRODUCTS = _lookup(Product.id, Product.request_id, Product.row, Product.alone).join(ProcessingRequest)
_DELIVERIES = _lookup(WebhookDelivery.id, WebhookDelivery.receiver, sa.literal(0), sa.false()).join(ProcessingRequest)


def _in_chunks(
    ids: Iterable[Key], statement: Lookup, enqueue_jobs: Callable[[Sequence[Key], dict[Key, Turn]], None]
) -> None:
    every = list(ids)
    for start in range(0, len(every), CHUNK):
        some = every[start : start + CHUNK]
        enqueue_jobs(some, _turns(some, statement))


def _turns(ids: Sequence[Key], statement: Lookup) -> dict[Key, Turn]:
    """The turn of each id; none while the database is away, and none of an id without a row."""
    try:
        with db.engine.connect() as connection:
            found = connection.execute(statement, {"ids": list(ids)}).all()
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return {}
    return {
        row_id: Turn(owner=owner, flow=flow or "-", is_bulk=row > EXPRESS_ROWS, is_alone=bool(alone))
        for row_id, owner, flow, row, alone in found
    }
