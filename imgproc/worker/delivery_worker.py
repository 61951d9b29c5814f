"""The worker of the deliveries: one process that sends many webhooks at a time, because it only waits for receivers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

from rq import Queue
from rq.job import Job

from imgproc.journey.services import services
from imgproc.worker.preloaded_worker import PreloadedWorker


class DeliveryWorker(PreloadedWorker):
    """Runs each job in a thread, up to `DELIVERY_WORKERS` at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with self.app.app_context():
            threads = services().settings.delivery_workers
        self._idle = BoundedSemaphore(threads)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="delivery")

    def run_job(self, job: Job, queue: Queue) -> None:
        """Start the job in a thread, and return once there is a thread for another: a job that waits stays queued."""
        self._idle.acquire()
        self._threads.submit(self._run, job, queue)
        with self._idle:
            return

    def _run(self, job: Job, queue: Queue) -> None:
        try:
            super().run_job(job, queue)
        finally:
            self._idle.release()

    def teardown(self) -> None:
        """Let the jobs end or give their work back, then unregister."""
        self._threads.shutdown()
        super().teardown()
