"""Small pictures, where the queue matters most: products a second, compared with no-op jobs of a plain RQ pool."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import redis
from rq import Queue
from rq.registry import FinishedJobRegistry

from benchmarks.corpus import thumbnail
from benchmarks.measure import Case, Cost, in_turns
from benchmarks.results import Table
from benchmarks.runs import process, stack_of, warm_up
from imgproc.embedded.supervisor import Service, spawn
from tests.support.host_process import image_host_process
from tests.support.processes import wait_until

SIDE = 200
IMAGES = (1, 3)  # of a product
QUEUE = "no-op"


def measure(*, quick: bool = False, number: int | None = None) -> Table:
    """The same number of workers of both kinds, on the same Redis; by the clock."""
    products, rounds = number or (60 if quick else 1_500), 1 if quick else 3
    jobs = 5 * products
    with ExitStack() as servers:
        host = servers.enter_context(image_host_process(thumbnail(SIDE)))
        stack = servers.enter_context(stack_of())
        workers = stack.settings().workers
        queue = servers.enter_context(_plain_pool(stack.settings().redis_url, workers))
        warm_up(stack, host)
        cases: dict[str, Case] = {"RQ": partial(_no_ops, queue, jobs)}
        for images in IMAGES:
            cases[f"{products:,} products of {images} picture(s)"] = partial(
                process, stack, host, products, images=images
            )
        costs = in_turns(cases, rounds=rounds)
    bare = jobs / costs.pop("RQ").wall
    rows: list[list[str | float]] = [[f"{jobs:,} no-op jobs of RQ", bare, "", 1.0]]
    for images, (name, cost) in zip(IMAGES, costs.items(), strict=True):
        ours = products / cost.wall
        rows.append([name, ours, images * ours, ours / bare])
    columns = ["", "jobs or products/s", "images/s", "÷ no-op jobs"]
    notes = [
        f"JPEGs of {SIDE}×{SIDE}, {len(thumbnail(SIDE)) / 1000:.0f} kB. {workers} workers each: ours, and those of"
        " `rq worker-pool` with SimpleWorker, on the same Valkey; the other pool is idle.",
        f"Medians of {rounds} round(s) in turns. Ours from the upload to the end, the output CSV included.",
    ]
    return Table("Small pictures", columns, rows, notes)


@contextmanager
def _plain_pool(url: str | None, workers: int) -> Iterator[Queue]:
    """The queue of a pool as RQ's manual starts it, in another database of the stack's Redis."""
    assert url is not None
    url = url.rpartition("/")[0] + "/1"
    with tempfile.TemporaryDirectory() as folder, redis.Redis.from_url(url) as connection:
        rq = Path(sys.executable).with_name("rq")
        command = [str(rq), "worker-pool", "--quiet", "--worker-class", "rq.SimpleWorker", "-n", str(workers), QUEUE]
        pool = spawn(Service(QUEUE, command, environ={"RQ_REDIS_URL": url}, log_file=Path(folder, "log")))
        try:
            queue = Queue(QUEUE, connection=connection)
            _no_ops(queue, 10 * workers)  # until the workers have started
            yield queue
        finally:
            pool.terminate()
            pool.wait()


def _no_ops(queue: Queue, jobs: int) -> Cost:
    """Enqueue no-op jobs in one step, and wait until all have ended; their CPU time is not measured."""
    done = FinishedJobRegistry(queue=queue)
    queue.connection.delete(done.key)
    with queue.connection.pipeline() as pipeline:
        queue.enqueue_many([Queue.prepare_data("time.time") for _ in range(jobs)], pipeline=pipeline)
        started = time.perf_counter()
        pipeline.execute()
    wait_until(lambda: done.get_job_count(cleanup=False) >= jobs, seconds=600)
    return Cost(0, time.perf_counter() - started)
