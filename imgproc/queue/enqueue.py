"""Enqueues jobs in Redis, and looks at what waits there.

The database is the truth: the sweeper enqueues again what Redis has lost, and a job too many finds nothing to claim.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from imgproc.queue.connection import redis_client
from imgproc.queue.rq_classes import JobQueue

CONTROL = "control"
EXPRESS = "express"  # the first few products of each owner, so that no owner waits for all that another has queued
PRODUCTS = "products"
QUEUES = (CONTROL, EXPRESS, PRODUCTS)  # looked at in this order, but for what `JobQueue` says
NO_TIMEOUT = -1  # the lease's deadline is the only clock of a job
RESTART_MARKER = "imgproc:running"
KEY_TYPES = {
    **{f"rq:queue:{name}": "list" for name in QUEUES},
    **{f"rq:workers:{name}": "set" for name in QUEUES},
    "rq:queues": "set",
    "rq:workers": "set",
}  # what all workers share in Redis

log = structlog.get_logger(__name__)


def plans(request_ids: Iterable[str]) -> None:
    """Enqueue the planning of each request."""
    _enqueue(CONTROL, [("plan", (request_id,)) for request_id in request_ids])


def products(product_ids: Iterable[int], *, express: Collection[int] = ()) -> None:
    """Enqueue a job for each product; those in `express` do not wait behind the others."""
    ids = list(product_ids)
    _enqueue(EXPRESS, [("process_product", (product_id,)) for product_id in ids if product_id in express])
    _enqueue(PRODUCTS, [("process_product", (product_id,)) for product_id in ids if product_id not in express])


def finalization(request_id: str, *, epoch: int) -> None:
    """Enqueue the finalization of this epoch of a request."""
    _enqueue(CONTROL, [("finalize", (request_id, epoch))])


def deliveries(delivery_ids: Iterable[str]) -> None:
    """Enqueue each webhook delivery."""
    _enqueue(CONTROL, [("deliver", (delivery_id,)) for delivery_id in delivery_ids])


def waiting() -> set[str]:
    """The ids of all jobs that wait in Redis. Small, because every request has a window.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    with redis_client().pipeline(transaction=False) as pipeline:
        for name in QUEUES:
            pipeline.lrange(f"rq:queue:{name}", 0, -1)
        return {job_id.decode(errors="replace") for job_ids in pipeline.execute() for job_id in job_ids}


def job_id(function: str, arguments: Sequence[Any]) -> str:
    """The same work always has the same id, so that the sweeper can see whether it waits."""
    return "-".join((function, *map(str, arguments)))


def mark_running() -> bool:
    """Leave a mark in Redis; False where it was there already. A mark that is gone means that Redis lost everything.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    return bool(redis_client().set(RESTART_MARKER, 1, nx=True))


def queue_lengths() -> dict[str, int]:
    """How many jobs wait in each queue.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    return {name: redis_client().llen(f"rq:queue:{name}") for name in QUEUES}


def _enqueue(queue_name: str, calls: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
    """Enqueue the calls; where Redis is away the sweeper enqueues them later."""
    if not calls:
        return
    jobs = [
        Queue.prepare_data(
            f"imgproc.journey.jobs.{function}",
            args=arguments,
            job_id=job_id(function, arguments),
            timeout=NO_TIMEOUT,
            result_ttl=0,
        )
        for function, arguments in calls
    ]
    try:
        JobQueue(queue_name, connection=redis_client(), serializer=JSONSerializer).enqueue_many(jobs)
    except RedisError as error:
        log.warning("enqueue_failed", queue=queue_name, jobs=len(jobs), error=str(error))
