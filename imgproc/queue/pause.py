"""Pauses all workers: they finish what they do, take no further job, and live on. RQ keeps the pause in Redis.

Uploads are accepted meanwhile. A Redis that loses its keys ends the pause.
"""

from __future__ import annotations

from rq import suspension

from imgproc.queue.connection import redis_client, redis_errors


def pause(*, seconds: int | None = None) -> None:
    """Let no worker take a job, for some time or until `resume`.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        suspension.suspend(redis_client(), ttl=seconds)


def resume() -> bool:
    """Let workers take jobs again, within seconds. False if they were not paused.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        return bool(suspension.resume(redis_client()))


def is_paused() -> bool:
    """Whether workers are paused.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        return bool(suspension.is_suspended(redis_client()))
