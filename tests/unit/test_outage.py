"""What counts as an outage of our servers, how logs describe it, and how long retries pause."""

from __future__ import annotations

from itertools import islice

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from imgproc.core.errors import (
    ImageError,
    InvalidInput,
    LeaseLost,
    QueueUnavailable,
    StorageUnavailable,
    WorkerStopping,
)
from imgproc.journey.outage import describe, growing_pauses, is_away, is_outage
from imgproc.queue.connection import redis_errors


class DriverError(Exception):
    """An exception of a driver; PostgreSQL sets `sqlstate` if the server has answered."""

    sqlstate: str | None = None


def answered(state: str) -> DriverError:
    """The exception for an error that the server answered."""
    error = DriverError("canceling statement due to lock timeout\nCONTEXT: while updating")
    error.sqlstate = state
    return error


@pytest.mark.parametrize(
    ("error", "outage", "away"),
    [
        pytest.param(OperationalError("", {}, DriverError("refused")), True, True, id="the database is away"),
        pytest.param(OperationalError("", {}, answered("55P03")), True, False, id="a lock took too long"),
        pytest.param(IntegrityError("", {}, answered("23505")), False, False, id="a constraint"),
        pytest.param(
            DBAPIError("", {}, DriverError("gone"), connection_invalidated=True),
            True,
            True,
            id="the connection is lost",
        ),
        pytest.param(QueueUnavailable("Away."), True, True, id="Redis is away"),
        pytest.param(StorageUnavailable("Away."), True, True, id="the store is away"),
        pytest.param(WorkerStopping("Stop."), True, True, id="this worker must stop"),
        pytest.param(LeaseLost("Lost."), False, False, id="a lost lease"),
        pytest.param(ImageError("Broken."), False, False, id="an image"),
        pytest.param(InvalidInput("Wrong."), False, False, id="a caller"),
        pytest.param(ZeroDivisionError(), False, False, id="a bug"),
    ],
)
def test_tells_outages_from_other_errors(error: Exception, outage: bool, away: bool) -> None:
    """A lock timeout is an outage, but the database is there, so a sweeper's pass goes on with other rows."""
    assert (is_outage(error), is_away(error)) == (outage, away)


@pytest.mark.parametrize("error", [RedisAway("Connection refused."), ResponseError("OOM command not allowed")])
def test_every_redis_error_becomes_queue_unavailable(error: Exception) -> None:
    """Logs show the cause, and callers do not see it."""
    with pytest.raises(QueueUnavailable) as caught, redis_errors():
        raise error
    assert (caught.value.code, caught.value.retryable) == ("queue_unavailable", True)
    assert caught.value.detail == "The queue cannot be reached."
    assert describe(caught.value) == f"The queue cannot be reached. ({error})"


def test_an_outage_is_described_in_one_line() -> None:
    """The line is the first line of the driver's message, without the statement."""
    error = OperationalError("SELECT 1", {}, answered("55P03"))
    assert describe(error) == "canceling statement due to lock timeout"
    assert describe(WorkerStopping("The worker was asked to stop.")) == "The worker was asked to stop."


def test_pauses_grow_to_a_limit() -> None:
    """They double up to the longest pause."""
    assert list(islice(growing_pauses(1, 10), 6)) == [1, 2, 4, 8, 10, 10]
