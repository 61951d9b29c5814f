"""RQ's jobs and queues as we use them: a record in Redis can call one of our four functions, and nothing else.

Any other record (forged, damaged, or of another version of the code) is logged and dropped. The sweeper enqueues again
whatever is due by the database.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer

LONGEST_CALL = 1024  # bytes of a stored call; ours have about 110
# The queue that each look of a worker begins with, in turn: none can keep the others waiting for ever.
LOOKS = (0, 0, 0, 1, 0, 0, 0, 2)
MOST_PASSED_OVER = 1000  # ids without a record that one visit to Redis takes away, so as not to hold it up

# Returns the call of a job and deletes its record: nil where there is no record, '' where it holds no call.
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

# The first job of the queues, in order, with its call. Ids without one are passed over; what is no queue is deleted.
_TAKE = f"""{_CALL_OF}
local passed_over = 0
for _, queue in ipairs(KEYS) do
  local id = redis.pcall('LPOP', queue)
  while type(id) == 'string' do
    local call = call_of(id)
    passed_over = passed_over + 1
    if call or passed_over == {MOST_PASSED_OVER} then
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


class ForbiddenJob(Exception):
    """Something else than a call of our four functions was put into the queue."""


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _is_product_id(value: object) -> bool:
    return type(value) is int and 0 < value < 2**63


def _is_epoch(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


ALLOWED: dict[str, tuple[Callable[[object], bool], ...]] = {
    "imgproc.journey.jobs.plan": (_is_id,),
    "imgproc.journey.jobs.process_product": (_is_product_id,),
    "imgproc.journey.jobs.finalize": (_is_id, _is_epoch),
    "imgproc.journey.jobs.deliver": (_is_id,),
}


def read_call(stored: bytes) -> tuple[str, list[Any]]:
    """The function's name and its arguments.

    Raises:
        ForbiddenJob: it is not a call of one of our four functions with arguments of the right types.
    """
    try:
        text = zlib.decompressobj().decompress(stored, LONGEST_CALL)  # what is longer is cut, and then is no JSON
        function, instance, arguments, keywords = json.loads(text)
        known = ALLOWED[function]
        fits = (
            isinstance(arguments, list)
            and len(known) == len(arguments)
            and all(check(each) for check, each in zip(known, arguments, strict=True))
        )
    except (zlib.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ForbiddenJob(f"The record holds no call of ours: {type(error).__name__}.") from error
    if not fits or instance is not None or keywords:
        raise ForbiddenJob(f"The arguments of {function} are not what it takes.")
    return function, arguments


class AllowedJob(Job):
    """A job that runs our four functions and nothing else, whatever Redis says."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: A002, ARG002 - RQ's signature
        super().__init__(id, connection=connection)
        self.serializer = JSONSerializer  # given to RQ, it would be looked at anew for every job, for 0.1 ms

    @classmethod
    def of_call(cls, stored: bytes, *, connection: Redis) -> AllowedJob:
        """The job of a stored call. Its id follows from the call, so nothing of what was stored reaches a log.

        Raises:
            ForbiddenJob: it is no call of ours.
        """
        function, arguments = read_call(stored)
        job = cls("-".join((function.rpartition(".")[2], *map(str, arguments))), connection=connection)
        job._func_name, job._instance, job._args, job._kwargs = function, None, tuple(arguments), {}
        return job

    @property
    def func(self) -> Any:
        """The function to run.

        Raises:
            ForbiddenJob: the queue names another.
        """
        if self.func_name not in ALLOWED or self.instance is not None:
            raise ForbiddenJob(f"The queue may not run {self.func_name!r}.")
        return super().func

    success_callback = failure_callback = stopped_callback = property(lambda _self: None)


class JobQueue(Queue):
    """RQ's queue, whose jobs are taken with their calls, in one round trip instead of three.

    What is gone before a job runs is not in the way of another ring for the same work meanwhile.
    """

    job_class = AllowedJob
    looks = 0

    def next_start(self) -> int:
        """Which of a worker's queues, of which this is the first, its next look begins with."""
        self.looks += 1
        return LOOKS[(self.looks - 1) % len(LOOKS)]

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[JobQueue],
        timeout: int | None,
        connection: Redis,
        **_options: Any,
    ) -> tuple[Job, Queue] | None:
        """The next job and its queue; where none waits, as RQ does: None, or `DequeueTimeout` after `timeout` s."""
        in_order = list(queues)
        start = in_order[0].next_start() % len(in_order)
        by_key = {queue.key: queue for queue in (*in_order[start:], *in_order[:start])}
        limits = AllowedJob.redis_job_namespace_prefix, LONGEST_CALL
        while taken := connection.eval(_TAKE, len(by_key), *by_key, *limits) or _wait(connection, by_key, timeout):
            key, job_id, call = taken
            if call is None:
                call = connection.eval(_FETCH, 0, *limits, job_id)
            if call is None:  # another worker has taken this job already
                continue
            try:
                return AllowedJob.of_call(call, connection=connection), by_key[key.decode()]
            except ForbiddenJob as error:
                log.warning("job_dropped", queue=key.decode(), job_id=ascii(job_id[:100]), detail=str(error))
        return None


def _wait(connection: Redis, keys: Iterable[str], timeout: int | None) -> tuple[Any, Any, None] | None:
    """Wait for the next id; its call is still to be fetched. None where `timeout` is None.

    Raises:
        DequeueTimeout: none came within `timeout` seconds.
    """
    if timeout is None:
        return None
    try:
        came = connection.blpop(list(keys), timeout)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        came = None  # a key that is no queue; it is deleted when the queues are next looked at
    if came is None:
        raise DequeueTimeout(timeout, list(keys))
    key, job_id = came
    return key, job_id, None


def drop_forged_keys(connection: Redis, types: Mapping[str, str]) -> None:
    """Delete the keys that are not of the type they must have; the sweeper enqueues again what was lost.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    with connection.pipeline(transaction=False) as pipeline:
        for key in types:
            pipeline.type(key)
        kinds = [kind.decode() for kind in pipeline.execute()]
    for (key, right), found in zip(types.items(), kinds, strict=True):
        if found not in ("none", right):
            connection.unlink(key)
            log.warning("key_dropped", key=key, detail=f"It was a {found} and must be a {right}.")
