"""One worker: RQ's, in a process that has the code in memory, and without the bookkeeping that leases replace.

`tests/unit/test_rq_contract.py` pins what the class overrides in RQ.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from flask import Flask
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import StopRequested
from rq.job import Job
from rq.worker import WorkerStatus
from structlog.contextvars import clear_contextvars

from imgproc.core import error_reports, metrics
from imgproc.journey.lease import runs_alone, stopping
from imgproc.queue.enqueue import ALONE, KEY_TYPES
from imgproc.queue.rq_classes import AllowedJob, JobQueue, drop_forged_keys

HEARTBEAT_SECONDS = 20.0  # between two heartbeats in Redis
NICENESS = 5  # of every worker, so that the API answers while images are made
SUSPENSION_SECONDS = 5.0  # between two looks at whether the workers are suspended

log = structlog.get_logger(__name__)


class PreloadedWorker(SimpleWorker):
    """A worker that runs jobs in its own process: a fork and a re-import for each cost more than an image."""

    job_class, queue_class = AllowedJob, JobQueue
    app: Flask  # set by `run_worker`, before the first job
    log_job_description = False
    max_connection_wait_time = 2.0  # seconds; RQ's minute would be added to every outage of Redis
    dequeue_timeout = 5  # seconds to wait for a job; RQ would wait, and not notice a dead connection, for seven minutes
    heartbeat_due = suspension_due = 0.0

    def request_stop(self, *args: Any) -> None:
        """Finish the current job, or give it back if it takes long; then end.

        RQ's raises StopRequested in an idle worker. A signal may arrive inside code that ignores every exception, such
        as a `__del__`, so `heartbeat` raises it again.
        """
        stopping.set()
        self._stop_requested = True
        super().request_stop(*args)

    def register_birth(self) -> None:
        """Delete forged keys in Redis, then register with RQ. A Redis that takes no writes is told later."""
        drop_forged_keys(self.connection, KEY_TYPES)
        try:
            super().register_birth()
        except ResponseError as error:
            log.warning("worker_unregistered", error=str(error))

    def register_death(self) -> None:
        """Unregister with RQ, if Redis answers."""
        with _tolerated_outage():
            super().register_death()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run one job in the context of the app. A job that raises is logged, and counts as a failed attempt.

        RQ would record its start, its heartbeats and its end, in twenty round trips, to find the jobs of dead workers.
        We find them by their leases. Nor is a failure kept in Redis, where thousands of them would fill the memory.
        """
        self.set_state(WorkerStatus.BUSY)
        try:
            self.run_job(job, queue)
        finally:
            self.set_state(WorkerStatus.IDLE)

    def run_job(self, job: Job, queue: Queue) -> None:
        """Run one job, and log what it raises."""
        runs_alone.set(queue.name == ALONE)
        try:
            with self.app.app_context():
                job.perform()
        except Exception as error:  # noqa: BLE001 - all are logged, and none may end the worker
            self.report_failure(job, queue)
            error_reports.report(error, job=job.id, queue=queue.name)
            metrics.JOB_FAILURES.labels(queue.name).inc()
        finally:
            clear_contextvars()

    def report_failure(self, job: Job, queue: Queue) -> None:
        """Log the exception that a job raised. Its lease expires, and the sweeper gives the work another attempt."""
        log.exception("job_failed", job_id=job.id, queue=queue.name)

    def run_maintenance_tasks(self) -> None:
        """No-op: RQ cleans its job registries, and we keep no jobs there."""

    def unsubscribe(self) -> None:
        """Stop the thread that listens for commands, then end its subscription.

        In RQ's order the thread may see the end of the subscription first, and wait for another: RQ joins it for a
        second in vain.
        """
        if self.pubsub_thread:
            self.pubsub_thread.stop()
        super().unsubscribe()

    def _pubsub_exception_handler(self, exc: Exception, *arguments: Any) -> None:
        """Subscribe again after a time-out, too; RQ would end the thread."""
        timed_out = isinstance(exc, RedisTimeoutError)
        super()._pubsub_exception_handler(RedisConnectionError(str(exc)) if timed_out else exc, *arguments)

    def set_state(self, state: str, pipeline: Any = None) -> None:  # noqa: ARG002 - RQ's signature
        """Keep the state in memory, for RQ's signal handler; no process reads it in Redis."""
        self._state = state

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Send a heartbeat if one is due; RQ sends three for each job, and tolerates eight minutes without one.

        Raises:
            StopRequested: this worker was asked to stop; RQ's loop ends.
        """
        if self._stop_requested:
            raise StopRequested
        if time.monotonic() > self.heartbeat_due:
            with _tolerated_outage():
                super().heartbeat(timeout, pipeline)
                worker_registration.register(self)  # once more, as Redis may have been full or emptied
            self.heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS

    def check_for_suspension(self, burst: bool) -> None:
        """Notice `rq suspend` within seconds; RQ asks before every job. After an outage of Redis it asks at once."""
        if time.monotonic() > self.suspension_due:
            with _tolerated_outage():
                super().check_for_suspension(burst)
                self.suspension_due = time.monotonic() + SUSPENSION_SECONDS


@contextmanager
def _tolerated_outage() -> Iterator[None]:
    """Ignore that Redis is away or full: the worker waits for it when it takes the next job, and RQ logs each try."""
    try:
        yield
    except RedisError as error:
        log.debug("redis_call_failed", error=str(error))
