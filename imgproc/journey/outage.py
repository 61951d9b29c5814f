"""Outages of our own servers (database, Redis, object store): what counts as one, and how to wait until it is over."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import InfrastructureError
from imgproc.db import timeouts

DATABASE_PATIENCE = 600.0  # seconds that finished work waits for a database that is away
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two tries at the database
EXHAUSTED = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}  # no disk space or file descriptor is left

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


def is_outage(error: Exception) -> bool:
    """Whether the work is only delayed: a server is away or too busy, or this worker must stop."""
    if isinstance(error, DBAPIError):
        return timeouts.is_outage(error)
    return isinstance(error, InfrastructureError)


def is_away(error: Exception) -> bool:
    """Whether a server answers no call at all, so that neither this statement nor this row is at fault."""
    if isinstance(error, DBAPIError):
        return timeouts.is_away(error)
    return isinstance(error, InfrastructureError)


def describe(error: Exception) -> str:
    """The outage in one line, with the message of the driver."""
    if isinstance(error, DBAPIError):
        return _first_line(error.orig)
    return f"{error} ({_first_line(error.__cause__)})" if error.__cause__ else str(error)


def _first_line(error: BaseException | None) -> str:
    return str(error).partition("\n")[0]


def is_exhausted(error: BaseException | None) -> bool:
    """Whether the error, or the one behind it, says that no disk space or file descriptor is left."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None and error.errno in EXHAUSTED


@contextmanager
def local_files() -> Iterator[None]:
    """Treat a full disk of this machine as an outage: the work of the block is delayed, and does not fail.

    Raises:
        InfrastructureError: the disk is full, or no file descriptor is left.
    """
    try:
        yield
    except Exception as error:
        if not is_exhausted(error):
            raise
        raise InfrastructureError("The disk for temporary files is full, or no file descriptor is left.") from error


def growing_pauses(first: float, longest: float) -> Iterator[float]:
    """Seconds to pause between two tries: twice as long each time, and at most `longest`."""
    pause = first
    while True:
        yield pause
        pause = min(2 * pause, longest)


def start_pauses() -> Iterator[float]:
    """Seconds to pause between two tries at a server without which a process cannot start."""
    return growing_pauses(1.0, 30.0)


def retry_on_outage(transition: Callable[[], Result]) -> Result:
    """Retry a transition while the database is away, because the work is done and only its record is missing.

    The transition must be safe to run twice, as a compare-and-swap on a lease token is.

    Raises:
        sqlalchemy.exc.DBAPIError: the database stayed away for ten minutes, or refused the statement.
    """
    give_up = time.monotonic() + DATABASE_PATIENCE
    pauses = growing_pauses(FIRST_PAUSE, LONGEST_PAUSE)
    while True:
        try:
            return transition()
        except DBAPIError as error:
            if not is_outage(error) or time.monotonic() > give_up:
                raise
            pause = next(pauses)
            log.warning("transition_delayed", retry_in=pause, error=describe(error))
            time.sleep(pause)
