"""The pool of workers: RQ's, run in processes that have the code in memory, watched, and restarted when one dies."""

from __future__ import annotations

import os
import signal
import time
from types import ModuleType
from typing import Any

import structlog
from flask import Flask
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from rq.worker_pool import WorkerPool

from imgproc.core.config import Settings
from imgproc.core.process import die_with_parent, dump_no_core, limit_memory
from imgproc.db.engine import db
from imgproc.journey.lease import stopping
from imgproc.queue.connection import DEFAULT_REDIS_URL, connect_redis
from imgproc.queue.enqueue import KEY_TYPES, QUEUES
from imgproc.queue.rq_classes import AllowedJob, JobQueue, drop_forged_keys
from imgproc.worker.watchdog import Pulse, Watch

HEARTBEAT_SECONDS = 20.0  # between two signs of life of a worker that has work to do
SUSPENSION_SECONDS = 5.0  # between two looks at whether the workers are suspended

log = structlog.get_logger(__name__)


class PreloadedWorker(SimpleWorker):
    """A worker that runs jobs in its own process: a fork and a re-import cost more than the image."""

    job_class, queue_class = AllowedJob, JobQueue
    app: Flask  # set by `run_worker`, before the first job
    log_job_description = False
    max_connection_wait_time = 2.0  # seconds; RQ's minute would be added to every outage of Redis
    dequeue_timeout = 5  # seconds to wait for a job; RQ's seven minutes would also be those to notice a dead connection
    heartbeat_due = suspension_due = 0.0

    def request_stop(self, *args: Any) -> None:
        """Finish the job in hand, or give it back where it is long; then end."""
        stopping.set()
        super().request_stop(*args)

    def register_birth(self) -> None:
        """Delete what is in the way in Redis, then register with RQ."""
        drop_forged_keys(self.connection, KEY_TYPES)
        super().register_birth()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run one job inside the app's context; one that raises is an attempt like one that died, and is logged.

        RQ would write down its start, its heartbeats and its end, in twenty round trips, so that the jobs of dead
        workers are found. Ours are found by their leases. Nor is a failure kept in Redis, where thousands of them
        would fill the memory.
        """
        self.set_state(WorkerStatus.BUSY)
        try:
            with self.app.app_context():
                job.perform()
        except Exception:  # noqa: BLE001 - all are logged, and none may end the worker
            self.report_failure(job, queue)
        finally:
            self.set_state(WorkerStatus.IDLE)

    def report_failure(self, job: Job, queue: Queue) -> None:
        """Log the exception that a job raised; its lease runs out, and the sweeper gives the work another attempt."""
        log.exception("job_failed", job_id=job.id, queue=queue.name)

    def run_maintenance_tasks(self) -> None:
        """No-op: RQ cleans registries of jobs, and we keep none there."""

    def _pubsub_exception_handler(self, exc: Exception, *arguments: Any) -> None:
        """Listen again after a connection fell silent, too; RQ would end the thread."""
        silent = isinstance(exc, RedisTimeoutError)
        super()._pubsub_exception_handler(RedisConnectionError(str(exc)) if silent else exc, *arguments)

    def set_state(self, state: str, pipeline: Any = None) -> None:  # noqa: ARG002 - RQ's signature
        """Busy or idle: asked by our own signal handler, which lets a busy worker finish, and by nobody in Redis."""
        self._state = state

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say in Redis that this worker lives; RQ does three times a job, and allows for eight minutes of silence."""
        if time.monotonic() > self.heartbeat_due:
            super().heartbeat(timeout, pipeline)
            self.heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS

    def check_for_suspension(self, burst: bool) -> None:
        """Notice `rq suspend` within seconds; RQ asks before every job."""
        if time.monotonic() > self.suspension_due:
            super().check_for_suspension(burst)
            self.suspension_due = time.monotonic() + SUSPENSION_SECONDS


class Pool(WorkerPool):
    """RQ's pool of workers, started by fork from the preloaded parent and restarted when one dies."""

    def __init__(self, app: Flask, *, settings: Settings, jobs: ModuleType) -> None:
        self.app = app
        self.jobs = jobs  # imported by the caller, so that every worker starts with it in memory
        self.memory_limit = settings.worker_memory_limit
        self.patience = settings.lease_seconds
        self.watches: dict[str, Watch] = {}  # of each worker, by its name
        self.redis_url = settings.redis_url or DEFAULT_REDIS_URL
        super().__init__(
            QUEUES,
            connection=connect_redis(self.redis_url),
            num_workers=settings.workers,
            worker_class=PreloadedWorker,
            job_class=AllowedJob,
            serializer=JSONSerializer,
        )

    def get_worker_process(self, name: str, *_args: Any, **_kwargs: Any) -> Any:
        """The process of one worker; RQ's own would start a scheduler beside each."""
        process = super().get_worker_process(name, burst=False)
        pulse = Pulse()
        self.watches[name] = Watch(pulse, patience=self.patience)
        arguments = self.app, name, self.redis_url, os.getpid(), self.memory_limit, pulse
        process._target, process._args, process._kwargs = run_worker, arguments, {}
        return process

    def reap_workers(self) -> None:
        """Replace dead workers and end stuck ones, at every round of the pool; RQ waits 0.1 s for each that lives."""
        for worker in list(self.worker_dict.values()):
            if not worker.process.is_alive():
                self.handle_dead_worker(worker)
            elif self.watches[worker.name].is_stuck(worker.pid):
                number = self.watches[worker.name].end(worker.pid)
                if number:
                    log.error("worker_stuck", pid=worker.pid, sent=number.name, detail="Its stacks are in the log.")

    def handle_dead_worker(self, worker_data: Any) -> None:
        """Say which worker died, and how; the pool's next round starts another."""
        self.watches.pop(worker_data.name, None)
        super().handle_dead_worker(worker_data)
        if self.status is not self.Status.STOPPED:
            log.warning("worker_died", pid=worker_data.pid, exit_code=worker_data.process.exitcode)


def run_worker(app: Flask, name: str, redis_url: str, parent_pid: int, memory_limit: int, pulse: Pulse) -> None:
    """The body of one worker process: its own connections, bounded memory, and no life after its parent."""
    pulse.start()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()
    if os.getppid() != parent_pid:  # it died before we asked
        return
    limit_memory(memory_limit)
    dump_no_core()
    os.nice(5)  # so that whoever asks how far it is need not wait for pictures
    with app.app_context():
        db.engine.dispose(close=False)  # the parent's connections are the parent's
    PreloadedWorker.app = app
    worker = PreloadedWorker(QUEUES, name=name, connection=connect_redis(redis_url), serializer=JSONSerializer)
    worker.work(logging_level="WARNING")
