"""Workers are counted by their heartbeats, so that `imgproc check` does not take dead ones for alive."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from rq.utils import utcformat

from imgproc.queue.connection import redis_client
from imgproc.queue.worker_count import worker_counts

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.parametrize("app", ["sqlite"], indirect=True)]


@pytest.mark.parametrize(
    ("silent", "counted"),
    [
        pytest.param(timedelta(seconds=20), 1, id="alive"),
        pytest.param(timedelta(minutes=3), 0, id="killed"),
        pytest.param(None, 0, id="expired"),
    ],
)
def test_counts_workers_that_are_alive(silent: timedelta | None, counted: int) -> None:
    """A killed worker stays registered for minutes."""
    before, redis = worker_counts(), redis_client()
    redis.sadd("rq:workers:express", "rq:worker:test")
    try:
        if silent is not None:
            redis.hset("rq:worker:test", "last_heartbeat", utcformat(datetime.now(timezone.utc) - silent))
        assert worker_counts() == before | {"express": before["express"] + counted}
    finally:
        redis.srem("rq:workers:express", "rq:worker:test")
        redis.delete("rq:worker:test")
