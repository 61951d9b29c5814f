"""The pool of workers: forked from a process that has the code in memory, watched, and replaced when one dies.

`tests/unit/test_rq_contract.py` pins what the class overrides in RQ.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Collection
from types import ModuleType
from typing import Any

import structlog
from flask import Flask
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from imgproc.core.config import Settings
from imgproc.core.process import delayed_stop_signals
from imgproc.queue.connection import connect_redis, redis_url
from imgproc.queue.enqueue import DELIVERIES, QUEUES, WORK
from imgproc.queue.rq_classes import AllowedJob
from imgproc.worker.delivery_worker import DeliveryWorker
from imgproc.worker.preloaded_worker import PreloadedWorker, run_worker
from imgproc.worker.readiness import Readiness
from imgproc.worker.watchdog import Pulse, Watch

WORKER_CLASSES = {WORK: PreloadedWorker, DELIVERIES: DeliveryWorker}

log = structlog.get_logger(__name__)


class Pool(WorkerPool):
    """RQ's pool of workers, which starts them by fork from its own process.

    `WORKERS` processes take from the queue of the work, and one sends the webhooks, so that neither waits for the
    other. `queues` leaves one of the two to other pools.
    """

    def __init__(self, app: Flask, *, settings: Settings, jobs: ModuleType, queues: Collection[str] = QUEUES) -> None:
        self.app = app
        self.jobs = jobs  # imported by the caller, so that every worker has it in memory
        self.memory_limit = settings.worker_memory_limit
        self.patience = settings.lease_seconds
        self.watches: dict[str, Watch] = {}  # by the name of the worker
        self.queue_of: dict[str, str] = {}  # by the name of the worker
        self.wanted = {name: settings.workers if name == WORK else 1 for name in QUEUES if name in queues}
        self.redis_url = redis_url(settings)
        self.readiness = Readiness(app, redis_url=self.redis_url)
        super().__init__(
            list(self.wanted),
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
        gc.collect()
        gc.freeze()
        super().start(*args, **kwargs)

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
        queue = self.queue_of[name] = self._missing_queue()
        process._target, process._args = run_worker, (WORKER_CLASSES[queue],)
        process._kwargs = {
            "app": self.app,
            "name": name,
            "queue": queue,
            "redis_url": self.redis_url,
            "parent_pid": os.getpid(),
            "memory_limit": self.memory_limit,
            "pulse": pulse,
        }
        return process

    def _missing_queue(self) -> str:
        """The queue of the next worker."""
        running = Counter(self.queue_of.values())
        return next(queue for queue, wanted in self.wanted.items() if running[queue] < wanted)

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
        self.queue_of.pop(worker_data.name, None)
        super().handle_dead_worker(worker_data)
        if self.status is not self.Status.STOPPED:
            log.warning("worker_died", pid=worker_data.pid, exit_code=worker_data.process.exitcode)
