"""Our subclasses of RQ's job and queue: a job in Redis can call one of four functions, and nothing else.

Any other job (forged, damaged, or of another version of the code) is logged and dropped. The sweeper enqueues again
whatever is due by the database. `tests/unit/test_rq_contract.py` pins what these classes need of RQ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

from imgproc.queue.calls import BY_PATH, MAX_CALL_BYTES, ForbiddenJob, job_id, read_call
from imgproc.queue.connection import redis_errors, takes_no_writes
from imgproc.queue.fair_order import TAKE, owners_key

__all__ = ["AllowedJob", "JobQueue", "JobTimeoutException", "drop_forged_keys"]

TURN_ROUND = 8  # every so many dequeues a worker begins with its last queue, so that none waits forever

log = structlog.get_logger(__name__)


class AllowedJob(Job):
    """A job that runs one of our four functions, whatever Redis says."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: A002, ARG002 - RQ's signature
        super().__init__(id, connection=connection)
        self.serializer = JSONSerializer  # passed to RQ, it would be resolved again for every job, in 0.1 ms

    @classmethod
    def of_call(cls, stored: bytes, *, connection: Redis) -> AllowedJob:
        """The job of a stored call. Its id follows from the call, so no stored text reaches a log.

        Raises:
            ForbiddenJob: it is not a call of one of the four functions.
        """
        name, arguments = read_call(stored)
        job = cls(job_id(name, arguments), connection=connection)
        job._func_name, job._instance, job._args, job._kwargs = name.path, None, tuple(arguments), {}
        return job

    @property
    def func(self) -> Any:
        """The function to run.

        Raises:
            ForbiddenJob: the job names another.
        """
        if self.func_name not in BY_PATH or self.instance is not None:
            raise ForbiddenJob(f"The queue may not run {self.func_name!r}.")
        return super().func

    success_callback = failure_callback = stopped_callback = property(lambda _self: None)


class JobQueue(Queue):
    """RQ's queue, but its jobs are taken in fair order, and with their calls, in one round trip instead of three.

    A job is deleted before it runs, so that the same work can be enqueued again meanwhile.
    """

    job_class = AllowedJob
    dequeues = 0  # of a worker whose first queue this is

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[JobQueue],
        timeout: int | None,
        connection: Redis,
        **_options: Any,
    ) -> tuple[Job, Queue] | None:
        """The next job and its queue. Without a `timeout` it does not wait, and returns None if no job is queued.

        Raises:
            DequeueTimeout: no job came within `timeout` seconds.
            redis.exceptions.ConnectionError: Redis is away, or takes no writes; RQ tries again after a pause.
        """
        in_order = list(queues)
        in_order[0].dequeues += 1
        if in_order[0].dequeues % TURN_ROUND == 0:
            in_order.reverse()
        by_key = {queue.key: queue for queue in in_order}
        with _waits_for_writes():
            while True:
                for queue in by_key.values():
                    if job := queue.take(connection):
                        return job, queue
                if timeout is None:
                    return None
                key, new_id = _wait(connection, by_key, timeout)
                if key and (job := by_key[key].take(connection, new_id)):
                    return job, by_key[key]

    def take(self, connection: Redis, *new_id: bytes) -> AllowedJob | None:
        """The job whose turn it is, or None; `new_id` was taken from the list, and gets its place first."""
        keys = self.key, owners_key(self.name)
        limits = AllowedJob.redis_job_namespace_prefix, MAX_CALL_BYTES
        while taken := connection.eval(TAKE, len(keys), *keys, *limits, *new_id):
            (taken_id, call), new_id = taken, ()
            if call is None:  # so far it found only ids without a job
                continue
            try:
                return AllowedJob.of_call(call, connection=connection)
            except ForbiddenJob as error:
                log.warning("job_dropped", queue=self.key, job_id=ascii(taken_id[:100]), detail=str(error))
        return None


@contextmanager
def _waits_for_writes() -> Iterator[None]:
    """Treat a Redis that takes no writes as one that is away; RQ would end the worker.

    Raises:
        redis.exceptions.ConnectionError: its memory or disk is full, or it is a replica.
    """
    try:
        yield
    except ResponseError as error:
        if not takes_no_writes(error):
            raise
        raise RedisConnectionError(str(error)) from error


def _wait(connection: Redis, keys: Iterable[str], timeout: int) -> tuple[str, bytes]:
    """Wait for a new job; the key of its queue and its id. The key is empty if a queue was not a list.

    Raises:
        DequeueTimeout: none came within `timeout` seconds.
    """
    try:
        popped = connection.blpop(list(keys), timeout)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        return "", b""  # the next take deletes the key
    if popped is None:
        raise DequeueTimeout(timeout, list(keys))
    key, new_id = (part if isinstance(part, bytes) else part.encode() for part in popped)
    return key.decode(), new_id


def drop_forged_keys(connection: Redis, types: Mapping[str, str]) -> None:
    """Delete the keys that are not of the type they must have; the sweeper enqueues again what was lost.

    Raises:
        QueueUnavailable: Redis is away.
    """
    with redis_errors(), connection.pipeline(transaction=False) as pipeline:
        for key in types:
            pipeline.type(key)
        found_types = [found.decode() for found in pipeline.execute()]
    for (key, right), found in zip(types.items(), found_types, strict=True):
        if found not in ("none", right):
            with redis_errors():
                connection.unlink(key)
            log.warning("key_dropped", key=key, detail=f"It was a {found} and must be a {right}.")
