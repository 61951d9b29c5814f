"""The pool of workers: forked from a process that has the code in memory, watched, and replaced when one dies.

`tests/unit/test_rq_contract.py` pins what the class overrides in RQ.
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Collection
from types import ModuleType
from typing import Any

import structlog
from flask import Flask
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from imgproc.core import heartbeat, metrics
from imgproc.core.config import Settings
from imgproc.core.errors import QueueUnavailable
from imgproc.core.process import delayed_stop_signals
from imgproc.queue.connection import connect_redis, redis_url
from imgproc.queue.enqueue import BULK, DELIVERIES, EXPRESS, QUEUES
from imgproc.queue.presence import ROLES, report_pool
from imgproc.queue.rq_classes import AllowedJob
from imgproc.worker.delivery_worker import DeliveryWorker
from imgproc.worker.exporter import Exporter
from imgproc.worker.preloaded_worker import PreloadedWorker, Role, run_worker
from imgproc.worker.readiness import Readiness
from imgproc.worker.watchdog import Pulse, Watch

RESERVED = 4  # one worker of so many takes no bulk
BULK_NICENESS = 10  # added to that of the others, so that they get most of the processor while they need it

REPORT_SECONDS = 5.0  # between two reports of how many workers there are
REPORT_PATIENCE = 0.5  # seconds that Redis may take for one

log = structlog.get_logger(__name__)


def roles_of(queues: Collection[str], *, workers: int) -> dict[Role, int]:
    """How many workers of each role a pool has that takes the jobs of `queues`."""
    reserved = workers // RESERVED if {EXPRESS, BULK} <= set(queues) else 0
    # Reserved workers are there for the express jobs; without them the express jobs come first.
    general = tuple(name for name in ((BULK, EXPRESS) if reserved else (EXPRESS, BULK)) if name in queues)
    wanted = {
        Role((EXPRESS,)): reserved,
        Role(general, niceness=BULK_NICENESS if reserved else 0): workers - reserved if general else 0,
        Role((DELIVERIES,), DeliveryWorker): 1 if DELIVERIES in queues else 0,
    }
    return {role: number for role, number in wanted.items() if number}


class Pool(WorkerPool):
    """RQ's pool of workers, which starts them by fork from its own process.

    `WORKERS` processes take the work. A quarter of them takes no bulk of large files, so that small files find a worker
    at once. Another process sends the webhooks. With `queues` a pool takes only some kinds of jobs.
    """

    def __init__(self, app: Flask, *, settings: Settings, jobs: ModuleType, queues: Collection[str] = QUEUES) -> None:
        self.app = app
        self.jobs = jobs  # imported by the caller, so that every worker has it in memory
        self.memory_limit = settings.worker_memory_limit
        self.heartbeat_file = settings.heartbeat_file
        self.patience = settings.lease_seconds
        self.watches: dict[str, Watch] = {}  # by the name of the worker
        self.roles: dict[str, Role] = {}  # by the name of the worker
        self.wanted = roles_of(queues, workers=settings.workers)
        self.redis_url = redis_url(settings)
        self.readiness = Readiness(app, redis_url=self.redis_url)
        self.exporter = Exporter(port=settings.metrics_port, folder=settings.metrics_dir)
        self.reports = connect_redis(self.redis_url, timeout=REPORT_PATIENCE, retries=0)
        self.reported: dict[str, int] = {}
        self.report_at = 0.0
        super().__init__(
            QUEUES,
            connection=connect_redis(self.redis_url),
            num_workers=sum(self.wanted.values()),
            worker_class=PreloadedWorker,
            job_class=AllowedJob,
            serializer=JSONSerializer,
        )

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Run the pool until it is stopped.

        What was loaded until now lives as long as the process. Workers share its memory for as long as no garbage
        collection writes to it, and the end of the pool need not collect it, which takes most of a second.
        """
        metrics.start_at_zero(metrics.WORKER_DEATHS, *map(_role_name, self.wanted))
        gc.collect()
        gc.freeze()
        super().start(*args, **kwargs)

    def start_workers(self, *_args: Any, **_kwargs: Any) -> None:
        """No-op: the first `check_workers` starts them, once Redis and the database answer."""

    def check_workers(self, respawn: bool = True) -> None:
        """Replace dead workers, at every round of the pool; a missing one starts once its servers answer."""
        heartbeat.beat(self.heartbeat_file)
        self.reap_workers()
        self.exporter.keep_alive()
        self.report()
        missing = self.num_workers - self.number_of_active_workers
        if not missing or not respawn or not self.readiness.is_ready():
            return
        for _ in range(missing):
            if self.status is not self.Status.STOPPED:
                self.start_worker(burst=self._burst)

    def report(self) -> None:
        """Tell Redis every few seconds, and after each change, how many workers live. A stuck pool tells nothing."""
        living = Counter(_role_name(self.roles[worker.name]) for worker in self.worker_dict.values())
        workers = {role: living[role] for role in ROLES}
        if workers == self.reported and time.monotonic() < self.report_at:
            return
        self.reported, self.report_at = workers, time.monotonic() + REPORT_SECONDS
        try:
            report_pool(self.reports, self.name, workers)
        except QueueUnavailable as error:
            log.debug("report_failed", error=str(error))
        self.reports.close()  # because workers are forked next

    def start_worker(self, *args: Any, **kwargs: Any) -> None:
        """Start one worker. Signals wait until the pool knows it, and the worker has handlers of its own.

        Otherwise a worker that is starting when the pool is stopped would handle the signal as the pool does, and live.
        A signal that came just before has stopped the pool, which then starts no worker: none would tell it to end.
        """
        with delayed_stop_signals():
            if self.status is not self.Status.STOPPED:
                super().start_worker(*args, **kwargs)

    def get_worker_process(self, name: str, *_args: Any, **_kwargs: Any) -> Any:
        """The process of one worker; RQ's own would start a scheduler beside each."""
        process = super().get_worker_process(name, burst=False)
        pulse = Pulse()
        self.watches[name] = Watch(pulse, patience=self.patience)
        role = self.roles[name] = self._missing_role()
        process._target, process._args = run_worker, (role,)
        process._kwargs = {
            "app": self.app,
            "name": name,
            "redis_url": self.redis_url,
            "parent_pid": os.getpid(),
            "memory_limit": self.memory_limit,
            "pulse": pulse,
        }
        return process

    def _missing_role(self) -> Role:
        """The role of the next worker."""
        running = Counter(self.roles.values())
        return next(role for role, wanted in self.wanted.items() if running[role] < wanted)

    def reap_workers(self) -> None:
        """Forget dead workers and end stuck ones; RQ's own waits 0.1 s for each that lives."""
        for worker in list(self.worker_dict.values()):
            if not worker.process.is_alive():
                self.handle_dead_worker(worker)
            elif self.watches[worker.name].is_stuck(worker.pid):
                number = self.watches[worker.name].end(worker.pid)
                if number:
                    log.error("worker_stuck", pid=worker.pid, sent=number.name, detail="Its stacks are in the log.")

    def handle_dead_worker(self, worker_data: Any) -> None:
        """Log which worker died, and how; the next round starts another."""
        self.watches.pop(worker_data.name, None)
        role = self.roles.pop(worker_data.name)
        super().handle_dead_worker(worker_data)
        if self.status is not self.Status.STOPPED:
            metrics.WORKER_DEATHS.labels(_role_name(role)).inc()
            log.warning("worker_died", pid=worker_data.pid, exit_code=worker_data.process.exitcode)


def _role_name(role: Role) -> str:
    return "deliveries" if role.worker_class is DeliveryWorker else "images"
