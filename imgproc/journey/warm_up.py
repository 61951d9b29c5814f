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

NOBODY = str(uuid.UUID(int=0))  # of no request and no delivery
NO_PRODUCT = 0
LEASE: Any = {"token": "", "lease_seconds": 1}


@cache
def warm_up() -> None:
    """Run what the jobs run, for rows that do not exist; changes nothing. Done once in a process.

    It needs the context of the app. While the database is away, it does less.
    """
    for transition in _transitions():
        with suppress(DBAPIError, LeaseLost):
            transition()


def _transitions() -> list[Callable[[], object]]:
    return [
        partial(requests.claim_plan, NOBODY, **LEASE),
        partial(requests.add_products, NOBODY, [], **LEASE),
        partial(window.release, NOBODY, window=1),
        partial(requests.mark_planned, NOBODY, token=""),
        partial(products.claim, NO_PRODUCT, **LEASE),
        partial(products.finish, NO_PRODUCT, [], token="", window=1),
        partial(finalization.elect_finalizer, NOBODY),
        partial(finalization.claim_finalize, NOBODY, epoch=0, **LEASE),
        partial(reads.get_request, NOBODY),
        partial(list, reads.every_output(NOBODY)),
        partial(deliveries.claim, NOBODY, **LEASE),
        partial(turns.turn_of, NOBODY),
    ]
