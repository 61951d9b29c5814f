"""A worker process that works on several jobs at a time, each in a thread: most of a job is waiting, or runs in C."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

from rq import Queue
from rq.job import Job

from imgproc.worker.preloaded_worker import PreloadedWorker


class ThreadedWorker(PreloadedWorker):
    """Runs each job in a thread, up to `threads` at a time."""

    def __init__(self, *args: Any, threads: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle = BoundedSemaphore(threads)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="job")

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
