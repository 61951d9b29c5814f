"""Enqueues jobs in Redis, and reads which jobs are queued.

The database is the truth: the sweeper enqueues again what Redis has lost, and a surplus job finds nothing to claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from imgproc.queue import presence
from imgproc.queue.calls import JobName, job_id
from imgproc.queue.connection import redis_client, redis_errors
from imgproc.queue.fair_order import EVERY_LIST, Turn, owners_key
from imgproc.queue.rq_classes import JobQueue

EXPRESS = "express"  # plans, products and finalizations of small files, and the beginning of large ones
BULK = "bulk"  # the rest of large files
ALONE = "alone"  # work whose worker died: each job runs in a process without other work
DELIVERIES = "deliveries"  # webhooks, which have workers of their own
QUEUES = (EXPRESS, BULK, ALONE, DELIVERIES)
TAKEN = (EXPRESS, BULK, DELIVERIES)  # by the processes of a pool; for the jobs of the other it starts some as needed
NO_TIMEOUT = -1  # RQ sets no time limit: the deadline of the lease limits a job
RUNNING_MARKER = "imgproc:running"
KEY_TYPES = {
    **{f"rq:queue:{name}": "list" for name in QUEUES},
    **{owners_key(name): "zset" for name in QUEUES},
    **{f"rq:workers:{name}": "set" for name in QUEUES},
    "rq:queues": "set",
    "rq:workers": "set",
    **presence.KEY_TYPES,
}  # the keys that all workers share in Redis
NO_TURN = Turn()

log = structlog.get_logger(__name__)


def plans(request_ids: Iterable[str], turns: Mapping[str, Turn] = {}) -> None:
    """Enqueue the planning of each request. `turns` has the turn of each id; a job without one is of no owner."""
    _enqueue_work(JobName.PLAN, {(each,): turns.get(each, NO_TURN) for each in request_ids})


def products(product_ids: Iterable[int], turns: Mapping[int, Turn] = {}) -> None:
    """Enqueue a job for each product."""
    _enqueue_work(JobName.PROCESS_PRODUCT, {(each,): turns.get(each, NO_TURN) for each in product_ids})


def finalization(request_id: str, *, epoch: int, turn: Turn = NO_TURN) -> None:
    """Enqueue the finalization of this epoch of a request."""
    _enqueue_work(JobName.FINALIZE, {(request_id, epoch): turn})


def deliveries(delivery_ids: Iterable[str], turns: Mapping[str, Turn] = {}) -> None:
    """Enqueue each webhook delivery."""
    _enqueue(DELIVERIES, JobName.DELIVER, {(each,): turns.get(each, NO_TURN) for each in delivery_ids})


def waiting() -> set[str]:
    """The ids of all queued jobs. They are few, because every request has a window.

    Raises:
        QueueUnavailable: Redis is away.
    """
    client = redis_client()
    found = [ids for name in QUEUES for ids in _every_list(client, name, "LRANGE", 0, -1)]
    return {queued.decode(errors="replace") for ids in found for queued in ids}


def queue_lengths() -> dict[str, int]:
    """How many jobs each queue holds.

    Raises:
        QueueUnavailable: Redis is away.
    """
    return {name: length_of(name, client=redis_client()) for name in QUEUES}


def length_of(queue: str, *, client: Redis) -> int:
    """How many jobs a queue holds.

    Raises:
        QueueUnavailable: Redis is away.
    """
    return sum(_every_list(client, queue, "LLEN"))


def _every_list(client: Redis, queue: str, command: str, *arguments: int) -> list[Any]:
    """The replies of a command for every list of jobs of a queue."""
    keys = f"rq:queue:{queue}", owners_key(queue)
    with redis_errors():
        found: list[Any] = client.eval(EVERY_LIST, len(keys), *keys, command, *arguments)
        return found


def mark_running() -> bool:
    """Set a marker in Redis. Returns False if it was set already; if it was not, Redis has lost everything.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors():
        return bool(redis_client().set(RUNNING_MARKER, 1, nx=True))


def _enqueue_work(name: JobName, calls: Mapping[tuple[Any, ...], Turn]) -> None:
    for queue in (EXPRESS, BULK, ALONE):
        _enqueue(queue, name, {call: turn for call, turn in calls.items() if _queue_of(turn) == queue})


def _queue_of(turn: Turn) -> str:
    if turn.is_alone:
        return ALONE
    return BULK if turn.is_bulk else EXPRESS


def _enqueue(queue: str, name: JobName, calls: Mapping[tuple[Any, ...], Turn]) -> None:
    """Enqueue a job for each call. While Redis is away this logs a line, and the sweeper enqueues them later."""
    if not calls:
        return
    options = {"timeout": NO_TIMEOUT, "result_ttl": 0}
    jobs = [
        Queue.prepare_data(name.path, args=arguments, job_id=job_id(name, arguments), description=str(turn), **options)
        for arguments, turn in calls.items()
    ]
    try:
        JobQueue(queue, connection=redis_client(), serializer=JSONSerializer).enqueue_many(jobs)
    except RedisError as error:
        log.warning("enqueue_failed", queue=queue, jobs=len(jobs), error=str(error))
