"""The pool of workers: forked from a process that has the code in memory, watched, and replaced when one dies.

`tests/unit/test_rq_contract.py` pins what the class overrides in RQ.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import structlog
from flask import Flask
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from imgproc.core.config import Settings
from imgproc.core.process import delayed_stop_signals
from imgproc.queue.connection import connect_redis, redis_url
from imgproc.queue.enqueue import QUEUES
from imgproc.queue.rq_classes import AllowedJob
from imgproc.worker.preloaded_worker import PreloadedWorker, run_worker
from imgproc.worker.readiness import Readiness
from imgproc.worker.watchdog import Pulse, Watch

log = structlog.get_logger(__name__)


class Pool(WorkerPool):
    """RQ's pool of workers, which starts them by fork from its own process."""

    def __init__(self, app: Flask, *, settings: Settings, jobs: ModuleType) -> None:
        self.app = app
        self.jobs = jobs  # imported by the caller, so that every worker has it in memory
        self.memory_limit = settings.worker_memory_limit
        self.patience = settings.lease_seconds
        self.watches: dict[str, Watch] = {}  # by the name of the worker
        self.redis_url = redis_url(settings)
        self.readiness = Readiness(app, redis_url=self.redis_url)
        super().__init__(
            QUEUES,
            connection=connect_redis(self.redis_url),
            num_workers=settings.workers,
            worker_class=PreloadedWorker,
            job_class=AllowedJob,
            serializer=JSONSerializer,
        )

    def start_workers(self, *_args: Any, **_kwargs: Any) -> None:
        """No-op: the first `check_workers` starts them, once Redis and the database answer."""

    def check_workers(self, respawn: bool = True) -> None:
        """Replace dead workers, at every round of the pool; a missing one starts once its servers answer."""
        self.reap_workers()
        missing = self.num_workers - self.number_of_active_workers
        if not missing or not respawn or not self.readiness.is_ready():
            return
        for _ in range(missing):
            if self.status is not self.Status.STOPPED:
                self.start_worker(burst=self._burst)

    def start_worker(self, *args: Any, **kwargs: Any) -> None:
        """Start one worker. Signals wait until the pool knows it, and the worker has handlers of its own.

        Otherwise a worker that is starting when the pool is stopped would handle the signal as the pool does, and live.
        """
        with delayed_stop_signals():
            super().start_worker(*args, **kwargs)

    def get_worker_process(self, name: str, *_args: Any, **_kwargs: Any) -> Any:
        """The process of one worker; RQ's own would start a scheduler beside each."""
        process = super().get_worker_process(name, burst=False)
        pulse = Pulse()
        self.watches[name] = Watch(pulse, patience=self.patience)
        arguments = self.app, name, self.redis_url, os.getpid(), self.memory_limit, pulse
        process._target, process._args, process._kwargs = run_worker, arguments, {}
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
        super().handle_dead_worker(worker_data)
        if self.status is not self.Status.STOPPED:
            log.warning("worker_died", pid=worker_data.pid, exit_code=worker_data.process.exitcode)
