"""Our subclasses of RQ's job and queue: a job in Redis can call one of four functions, and nothing else.

Any other job (forged, damaged, or of another version of the code) is logged and dropped. The sweeper enqueues again
whatever is due by the database. `tests/unit/test_rq_contract.py` pins what these classes need of RQ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

from imgproc.queue.calls import BY_PATH, MAX_CALL_BYTES, ForbiddenJob, job_id, read_call
from imgproc.queue.connection import redis_errors

__all__ = ["AllowedJob", "JobQueue", "JobTimeoutException", "drop_forged_keys"]

# The queue that each dequeue of a worker begins with, in turn, so that no queue keeps the others waiting for ever.
FIRST_QUEUES = (0, 0, 0, 1, 0, 0, 0, 2)
MAX_SKIPPED_IDS = (
    1000  # ids without a job that one call of the script removes, so that it does not block Redis for long
)

# Returns the call of a job and deletes the job: nil if there is no job, '' if it holds no call.
_CALL_OF = """
local function call_of(id)
  local key = ARGV[1] .. id
  local size = redis.pcall('HSTRLEN', key, 'data')
  local call = nil
  if type(size) ~= 'number' or size > tonumber(ARGV[2]) then
    call = ''
  elseif size > 0 then
    call = redis.call('HGET', key, 'data')
  end
  redis.call('UNLINK', key)
  return call
end
"""

# Takes the first job of the queues, in order, with its call. It skips ids without a job, and deletes a key that is not
# a list.
_TAKE = f"""{_CALL_OF}
local skipped = 0
for _, queue in ipairs(KEYS) do
  local id = redis.pcall('LPOP', queue)
  while type(id) == 'string' do
    local call = call_of(id)
    skipped = skipped + 1
    if call or skipped == {MAX_SKIPPED_IDS} then
      return {{queue, id, call or ''}}
    end
    id = redis.pcall('LPOP', queue)
  end
  if type(id) == 'table' then
    redis.call('UNLINK', queue)
    return {{queue, '', ''}}
  end
end
return nil
"""

_FETCH = f"{_CALL_OF} return call_of(ARGV[3])"

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
    """RQ's queue, but a job is taken with its call, in one round trip instead of three.

    A job is deleted before it runs, so that the same work can be enqueued again meanwhile.
    """

    job_class = AllowedJob
    dequeues = 0

    def next_start(self) -> int:
        """The index of the queue that the next dequeue begins with; asked of a worker's first queue."""
        self.dequeues += 1
        return FIRST_QUEUES[(self.dequeues - 1) % len(FIRST_QUEUES)]

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
        """
        in_order = list(queues)
        start = in_order[0].next_start() % len(in_order)
        by_key = {queue.key: queue for queue in in_order[start:] + in_order[:start]}
        limits = AllowedJob.redis_job_namespace_prefix, MAX_CALL_BYTES
        while taken := connection.eval(_TAKE, len(by_key), *by_key, *limits) or _wait(connection, by_key, timeout):
            key, taken_id, call = taken
            if call is None:
                call = connection.eval(_FETCH, 0, *limits, taken_id)
            if call is None:  # another worker has taken this job already
                continue
            try:
                return AllowedJob.of_call(call, connection=connection), by_key[key.decode()]
            except ForbiddenJob as error:
                log.warning("job_dropped", queue=key.decode(), job_id=ascii(taken_id[:100]), detail=str(error))
        return None


def _wait(connection: Redis, keys: Iterable[str], timeout: int | None) -> tuple[Any, Any, None] | None:
    """Wait for the next job id, without its call. Without a `timeout` it returns None at once.

    Raises:
        DequeueTimeout: none came within `timeout` seconds.
    """
    if timeout is None:
        return None
    try:
        popped = connection.blpop(list(keys), timeout)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        popped = None  # a key that is not a list; the next dequeue deletes it
    if popped is None:
        raise DequeueTimeout(timeout, list(keys))
    key, popped_id = popped
    return key, popped_id, None


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
