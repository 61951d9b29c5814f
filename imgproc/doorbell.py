"""RQ's jobs and queues as we use them: four functions alone, and a job taken with its record in one round trip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

ALLOWED = {f"imgproc.jobs.{name}" for name in ("plan", "process_product", "finalize", "deliver")}

# The first job of the queues, in order, with its record, both out of Redis; one without a record is passed over.
_TAKE = """
for _, queue in ipairs(KEYS) do
  local id = redis.call('LPOP', queue)
  while id do
    local record = redis.call('HGETALL', ARGV[1] .. id)
    if #record > 0 then
      redis.call('DEL', ARGV[1] .. id)
      return {queue, id, record}
    end
    id = redis.call('LPOP', queue)
  end
end
return nil
"""


class ForbiddenJob(Exception):
    """Something else than our four functions was put into the queue."""


class AllowedJob(Job):
    """A job that runs our four functions and nothing else, whatever Redis says."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: A002, ARG002 - RQ's signature
        super().__init__(id, connection=connection)
        self.serializer = JSONSerializer  # given to RQ, it would be looked at anew for every job, for 0.1 ms

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


class Doorbell(Queue):
    """RQ's queue, whose jobs are taken with their records, in one round trip instead of three.

    What is gone before a job runs is not in the way of another ring for the same work meanwhile.
    """

    job_class = AllowedJob

    @classmethod
    def dequeue_any(
        cls, queues: Iterable[Queue], timeout: int | None, connection: Redis, **options: Any
    ) -> tuple[Job, Queue] | None:
        """The next job and its queue; where none waits, as RQ does: None, or `DequeueTimeout` after `timeout` s."""
        by_key = {queue.key: queue for queue in queues}
        while taken := connection.eval(_TAKE, len(by_key), *by_key, AllowedJob.redis_job_namespace_prefix):
            key, job_id, record = taken
            job = AllowedJob(job_id.decode(), connection=connection)
            try:
                job.restore(dict(zip(record[::2], record[1::2], strict=True)))
            except NoSuchJobError:  # a record of nothing to run
                continue
            return job, by_key[key.decode()]
        waited: tuple[Job, Queue] | None = super().dequeue_any(queues, timeout, connection, **options)
        if waited:
            connection.delete(waited[0].key)
        return waited
