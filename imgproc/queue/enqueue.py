"""Enqueues jobs in Redis, and reads which jobs are queued.

The database is the truth: the sweeper enqueues again what Redis has lost, and a surplus job finds nothing to claim.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from imgproc.queue.calls import JobName, job_id
from imgproc.queue.connection import redis_client, redis_errors
from imgproc.queue.rq_classes import JobQueue

CONTROL = "control"
EXPRESS = "express"  # the first few products of each owner, so that no owner waits for all that another has queued
PRODUCTS = "products"
QUEUES = (CONTROL, EXPRESS, PRODUCTS)  # workers read them in this order, but FIRST_QUEUES says where they begin
NO_TIMEOUT = -1  # RQ sets no time limit: the deadline of the lease limits a job
RUNNING_MARKER = "imgproc:running"
KEY_TYPES = {
    **{f"rq:queue:{name}": "list" for name in QUEUES},
    **{f"rq:workers:{name}": "set" for name in QUEUES},
    "rq:queues": "set",
    "rq:workers": "set",
}  # the keys that all workers share in Redis

log = structlog.get_logger(__name__)


def plans(request_ids: Iterable[str]) -> None:
    """Enqueue the planning of each request."""
    _enqueue(CONTROL, JobName.PLAN, [(request_id,) for request_id in request_ids])


def products(product_ids: Iterable[int], *, express: Collection[int] = ()) -> None:
    """Enqueue a job for each product; the products in `express` do not wait behind the others."""
    ids = list(product_ids)
    _enqueue(EXPRESS, JobName.PROCESS_PRODUCT, [(product_id,) for product_id in ids if product_id in express])
    _enqueue(PRODUCTS, JobName.PROCESS_PRODUCT, [(product_id,) for product_id in ids if product_id not in express])


def finalization(request_id: str, *, epoch: int) -> None:
    """Enqueue the finalization of this epoch of a request."""
    _enqueue(CONTROL, JobName.FINALIZE, [(request_id, epoch)])


def deliveries(delivery_ids: Iterable[str]) -> None:
    """Enqueue each webhook delivery."""
    _enqueue(CONTROL, JobName.DELIVER, [(delivery_id,) for delivery_id in delivery_ids])


def waiting() -> set[str]:
    """The ids of all queued jobs. They are few, because every request has a window.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors(), redis_client().pipeline(transaction=False) as pipeline:
        for name in QUEUES:
            pipeline.lrange(f"rq:queue:{name}", 0, -1)
        return {queued.decode(errors="replace") for queue in pipeline.execute() for queued in queue}


def mark_running() -> bool:
    """Set a marker in Redis. Returns False if it was set already; if it was not, Redis has lost everything.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        return bool(redis_client().set(RUNNING_MARKER, 1, nx=True))


def queue_lengths() -> dict[str, int]:
    """How many jobs each queue holds.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        return {name: redis_client().llen(f"rq:queue:{name}") for name in QUEUES}


def _enqueue(queue: str, name: JobName, calls: Sequence[tuple[Any, ...]]) -> None:
    """Enqueue a job for each call. While Redis is away this logs a line, and the sweeper enqueues them later."""
    if not calls:
        return
    jobs = [
        Queue.prepare_data(name.path, args=arguments, job_id=job_id(name, arguments), timeout=NO_TIMEOUT, result_ttl=0)
        for arguments in calls
    ]
    try:
        JobQueue(queue, connection=redis_client(), serializer=JSONSerializer).enqueue_many(jobs)
    except RedisError as error:
        log.warning("enqueue_failed", queue=queue, jobs=len(jobs), error=str(error))
