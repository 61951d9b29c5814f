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
from imgproc.pipeline.storage import clients
from imgproc.queue.connection import connect_redis, redis_url
from imgproc.queue.enqueue import ALONE, BULK, EXPRESS, QUEUES, TAKEN, length_of
from imgproc.queue.presence import ROLES, report_pool
from imgproc.queue.rq_classes import AllowedJob
from imgproc.worker.exporter import Exporter
from imgproc.worker.preloaded_worker import PreloadedWorker
from imgproc.worker.readiness import Readiness
from imgproc.worker.roles import LONER, Role, roles_of
from imgproc.worker.watchdog import Pulse, Watch
from imgproc.worker.worker_process import run_worker

CONNECTIONS = 2  # to the database, of one process: each thread has one while it claims or finishes work
REPORT_SECONDS = 5.0  # between two reports of how many workers there are
REPORT_PATIENCE = 0.5  # seconds that Redis may take for one

log = structlog.get_logger(__name__)


def most_connections(settings: Settings) -> int:
    """How many connections to the database a pool takes at most, with those of work that runs alone."""
    return CONNECTIONS * (sum(roles_of(QUEUES, settings=settings).values()) + settings.worker_processes)


class Pool(WorkerPool):
    """RQ's pool of workers, which starts their processes by fork from its own.

    A quarter of the `WORKERS` takes no bulk of large files, so that small files find a worker at once. Another process
    sends the webhooks. With `queues` a pool takes only some kinds of jobs. Work whose worker died may kill the next
    one, and all that its process works on. So for such work the pool starts processes that run one job at a time.
    """

    def __init__(self, app: Flask, *, settings: Settings, jobs: ModuleType, queues: Collection[str] = TAKEN) -> None:
        self.app = app
        self.jobs = jobs  # imported by the caller, so that every worker has it in memory
        self.memory_limit = settings.worker_memory_limit
        self.heartbeat_file = settings.heartbeat_file
        self.patience = settings.lease_seconds
        self.watches: dict[str, Watch] = {}  # by the name of the worker
        self.roles: dict[str, Role] = {}  # by the name of the worker
        self.wanted = roles_of(queues, settings=settings)
        self.most_loners = settings.worker_processes if {EXPRESS, BULK} & set(queues) else 0
        self.starting: Role  # the role of the worker that is forked next
        self.redis_url = redis_url(settings)
        self.readiness = Readiness(app, redis_url=self.redis_url)
        self.exporter = Exporter(port=settings.metrics_port, folder=settings.metrics_dir)
        self.reports = connect_redis(self.redis_url, timeout=REPORT_PATIENCE, retries=0)
        self.reported: dict[str, int] = {}
        self.report_at = self.ask_at = 0.0
        super().__init__(
            TAKEN,
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
        metrics.start_at_zero(metrics.WORKER_DEATHS, *(role.name for role in self.wanted))
        clients.preload()
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
        missing = self.missing()
        if not missing or not respawn or not self.readiness.is_ready():
            return
        for self.starting in missing:
            if self.status is not self.Status.STOPPED:
                self.start_worker(burst=self._burst)

    def missing(self) -> list[Role]:
        """The role of each worker that is to be started now."""
        missing = Counter(self.wanted)
        missing.subtract(self.roles.values())
        missing[LONER] = min(self.waiting(), self.most_loners + missing[LONER])
        return [role for role, number in missing.items() for _ in range(number)]

    def waiting(self) -> int:
        """How many jobs must run alone; none while Redis is away, and every round asks it only if it answers."""
        if not self.most_loners or time.monotonic() < self.ask_at:
            return 0
        try:
            return length_of(ALONE, client=self.reports)
        except QueueUnavailable as error:
            self.ask_at = time.monotonic() + REPORT_SECONDS
            log.debug("queue_not_read", error=str(error))
            return 0
        finally:
            self.reports.close()  # because workers are forked next

    def report(self) -> None:
        """Tell Redis every few seconds, and after each change, how many workers it has. A stuck pool tells nothing."""
        living = Counter[str]()
        for worker in self.worker_dict.values():
            role = self.roles[worker.name]
            living[role.name] += role.threads if role in self.wanted else 0
        workers = {name: living[name] for name in ROLES}
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
        self.roles[name] = self.starting
        process._target, process._args = run_worker, (self.starting,)
        process._kwargs = {
            "app": self.app,
            "name": name,
            "connection": connect_redis(self.redis_url),  # not connected; made here, it shares the memory of the pool
            "parent_pid": os.getpid(),
            "memory_limit": self.memory_limit,
            "pulse": pulse,
        }
        return process

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
        has_ended = role == LONER and worker_data.process.exitcode == 0  # its queue is empty
        if not has_ended and self.status is not self.Status.STOPPED:
            metrics.WORKER_DEATHS.labels(role.name).inc()
            log.warning("worker_died", pid=worker_data.pid, exit_code=worker_data.process.exitcode)
