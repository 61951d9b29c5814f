"""Owners take turns: the first few products of each are enqueued ahead, so that none waits for all that another has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.exc import DBAPIError

from imgproc.db.timeouts import is_outage
from imgproc.db.transitions.window import first_of_owners
from imgproc.queue import enqueue

EXPRESS_PRODUCTS = 8  # of one owner
ASKED_AT_ONCE = 500  # products whose owners one statement looks up


def enqueue_products(product_ids: Iterable[int]) -> None:
    """Enqueue a job for each product."""
    every = list(product_ids)
    for start in range(0, len(every), ASKED_AT_ONCE):
        ids = every[start : start + ASKED_AT_ONCE]
        enqueue.products(ids, express=_express(ids))


def _express(product_ids: Sequence[int]) -> set[int]:
    """The products that need not wait behind all that other owners have queued; none while the database is away."""
    try:
        return first_of_owners(product_ids, most=EXPRESS_PRODUCTS)
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return set()
