"""How many workers take jobs of each queue, as they have registered themselves in Redis."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import cast

from rq.utils import utcparse

from imgproc.queue.connection import redis_client, redis_errors
from imgproc.queue.enqueue import TAKEN

SILENT = timedelta(seconds=90)  # after which a worker counts as dead; it sends a heartbeat every 20 s


def worker_counts() -> dict[str, int]:
    """The workers of each queue that have sent a heartbeat lately.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        return {name: sum(map(_is_alive, _registered(name))) for name in TAKEN}


def _registered(queue: str) -> set[bytes]:
    return cast("set[bytes]", redis_client().smembers(f"rq:workers:{queue}"))


def _is_alive(worker: bytes) -> bool:
    """Whether its last heartbeat is recent. The clocks of hosts differ by less than that."""
    heartbeat = cast("bytes | None", redis_client().hget(worker.decode(), "last_heartbeat"))
    return heartbeat is not None and datetime.now(timezone.utc) - utcparse(heartbeat.decode()) < SILENT
