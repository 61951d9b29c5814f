"""Compiles the statements of the jobs before workers are forked.

Otherwise every worker would do so in its first jobs, which take up to 0.2 s longer. Redis gives a job to the worker
that has waited longest, so the files of the first hours would all meet such workers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any

from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import LeaseLost
from imgproc.db import reads
from imgproc.db.transitions import deliveries, finalization, products, requests, window
from imgproc.journey import turns

NO_ID = str(uuid.UUID(int=0))  # of no request and no delivery
NO_PRODUCT = 0
LEASE: Any = {"token": "", "lease_seconds": 1}


@cache
def warm_up() -> None:
    """Run the statements of the jobs, once in a process, for rows that do not exist. Changes nothing.

    It needs the context of the app. While the database is away, statements may stay uncompiled.
    """
    for transition in _transitions():
        with suppress(DBAPIError, LeaseLost):
            transition()


def _transitions() -> list[Callable[[], object]]:
    return [
        partial(requests.claim_plan, NO_ID, **LEASE),
        partial(requests.add_products, NO_ID, [], **LEASE),
        partial(window.release, NO_ID, window=1),
        partial(requests.mark_planned, NO_ID, token=""),
        partial(products.claim, NO_PRODUCT, **LEASE),
        partial(products.finish, NO_PRODUCT, [], token="", window=1),
        partial(finalization.elect_finalizer, NO_ID),
        partial(finalization.claim_finalize, NO_ID, epoch=0, **LEASE),
        partial(reads.get_request, NO_ID),
        partial(list, reads.every_output(NO_ID)),
        partial(deliveries.claim, NO_ID, **LEASE),
        partial(turns.turn_of, NO_ID),
    ]
