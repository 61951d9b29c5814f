"""Who rings the doorbell in Redis, and the pool of workers that answer.

Nothing here is the truth. A ring that is lost is rung again by the sweeper; a ring too many finds nothing to claim.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import structlog
from flask import Flask
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from rq.worker_pool import WorkerPool
from sqlalchemy.exc import DBAPIError

from imgproc.config import Settings
from imgproc.doorbell import AllowedJob, Doorbell, drop_forged_keys
from imgproc.extensions import DEFAULT_REDIS_URL, connect_redis, db, redis_client
from imgproc.lease import stopping
from imgproc.lifecycle.window import first_of_owners
from imgproc.supervisor import die_with_parent, dump_no_core, limit_memory
from imgproc.timeouts import is_outage
from imgproc.watchdog import Pulse, Watch

CONTROL = "control"
EXPRESS = "express"  # the first few products of each owner, so that no owner waits for all that another has queued
PRODUCTS = "products"
QUEUES = (CONTROL, EXPRESS, PRODUCTS)  # looked at in this order, but for what `Doorbell` says
EXPRESS_PRODUCTS = 8  # of one owner
ASKED_AT_ONCE = 500  # products whose owners one statement looks up
NO_TIMEOUT = -1  # the lease's deadline is the only clock of a job
HEARTBEAT_SECONDS = 20.0  # between two signs of life of a worker that has work to do
SUSPENSION_SECONDS = 5.0  # between two looks at whether the workers are suspended
RESTART_MARKER = "imgproc:running"
KEY_TYPES = {
    **{f"rq:queue:{name}": "list" for name in QUEUES},
    **{f"rq:workers:{name}": "set" for name in QUEUES},
    "rq:queues": "set",
    "rq:workers": "set",
}  # what all workers share in Redis

log = structlog.get_logger(__name__)


class PreloadedWorker(SimpleWorker):
    """A worker that runs jobs in its own process: a fork and a re-import cost more than the image."""

    job_class, queue_class = AllowedJob, Doorbell
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
        """Register with RQ, past anything that is in the way of it."""
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
        """Notice the dead and end the stuck, at every round of the pool; RQ waits 0.1 s for each that lives."""
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


def ring_plans(request_ids: Iterable[str]) -> None:
    """Ring for the planning of each request."""
    _ring(CONTROL, [("plan", (request_id,)) for request_id in request_ids])


def ring_products(product_ids: Iterable[int]) -> None:
    """Ring once for each product."""
    every = list(product_ids)
    for start in range(0, len(every), ASKED_AT_ONCE):
        ids = every[start : start + ASKED_AT_ONCE]
        express = _express(ids)
        _ring(EXPRESS, [("process_product", (product_id,)) for product_id in ids if product_id in express])
        _ring(PRODUCTS, [("process_product", (product_id,)) for product_id in ids if product_id not in express])


def _express(product_ids: Sequence[int]) -> set[int]:
    """Those that need not wait behind all that other owners have queued; none while the database is away."""
    try:
        return first_of_owners(product_ids, most=EXPRESS_PRODUCTS)
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return set()


def ring_finalize(request_id: str, *, epoch: int) -> None:
    """Ring for the finalization of this epoch of a request."""
    _ring(CONTROL, [("finalize", (request_id, epoch))])


def ring_deliveries(delivery_ids: Iterable[str]) -> None:
    """Ring for each webhook delivery."""
    _ring(CONTROL, [("deliver", (delivery_id,)) for delivery_id in delivery_ids])


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


def _ring(queue_name: str, calls: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
    """Enqueue the calls; where Redis is away the sweeper will ring instead."""
    if not calls:
        return
    jobs = [
        Queue.prepare_data(
            f"imgproc.jobs.{function}",
            args=arguments,
            job_id=job_id(function, arguments),
            timeout=NO_TIMEOUT,
            result_ttl=0,
        )
        for function, arguments in calls
    ]
    try:
        Doorbell(queue_name, connection=redis_client(), serializer=JSONSerializer).enqueue_many(jobs)
    except RedisError as error:
        log.warning("ring_lost", queue=queue_name, jobs=len(jobs), error=str(error))
