"""How many workers take jobs of each queue, as they have registered themselves in Redis."""

from __future__ import annotations

from typing import cast

from imgproc.queue.connection import redis_client, redis_errors
from imgproc.queue.enqueue import QUEUES


def worker_counts() -> dict[str, int]:
    """The workers of each queue. One that died without a word is not counted after some minutes without a heartbeat.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        return {name: _alive(f"rq:workers:{name}") for name in QUEUES}


def _alive(registry: str) -> int:
    """How many of the keys in a registry of RQ have not expired."""
    keys = cast("set[bytes]", redis_client().smembers(registry))
    return redis_client().exists(*keys) if keys else 0
