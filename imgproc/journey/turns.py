"""Enqueues products so that owners take turns: the first few of each owner do not wait behind the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.exc import DBAPIError

from imgproc.db.transitions.window import first_of_owners
from imgproc.journey.outage import is_outage
from imgproc.queue import enqueue

EXPRESS_PRODUCTS = 8  # of one owner
CHUNK = 500  # products whose owners one statement looks up


def enqueue_products(product_ids: Iterable[int]) -> None:
    """Enqueue a job for each product."""
    every = list(product_ids)
    for start in range(0, len(every), CHUNK):
        ids = every[start : start + CHUNK]
        enqueue.products(ids, express=_express(ids))


def _express(product_ids: Sequence[int]) -> set[int]:
    """The products that go to the express queue; none while the database is away."""
    try:
        return first_of_owners(product_ids, most=EXPRESS_PRODUCTS)
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return set()
