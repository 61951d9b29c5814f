"""The roles of a pool's workers, and its stop at any moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from rq.exceptions import DequeueTimeout, StopRequested
from rq.serializers import JSONSerializer

from imgproc.core.config import load_settings
from imgproc.journey import jobs, lease
from imgproc.journey.services import services
from imgproc.pipeline.images.guards.memory import DEFAULT_LIMIT, OTHER_BYTES, MemoryBudget
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.queue.enqueue import BULK, DELIVERIES, EXPRESS, TAKEN
from imgproc.queue.fair_order import Turn
from imgproc.queue.rq_classes import JobQueue
from imgproc.worker import pool
from imgproc.worker.pool import Pool
from imgproc.worker.preloaded_worker import PreloadedWorker
from imgproc.worker.roles import LONER, roles_of

SEND = ((DELIVERIES,), 32, 1, 0)  # queues, threads, processes, niceness


@pytest.mark.parametrize(
    ("queues", "workers", "expected"),
    [
        pytest.param(TAKEN, 48, [((EXPRESS,), 12, 1, 0), ((BULK, EXPRESS), 18, 2, 10), SEND], id="two cores"),
        pytest.param(TAKEN, 7, [((EXPRESS,), 1, 1, 0), ((BULK, EXPRESS), 3, 2, 10), SEND], id="an odd number"),
        pytest.param(
            (EXPRESS, BULK),
            9,
            [((EXPRESS,), 2, 1, 0), ((BULK, EXPRESS), 4, 1, 10), ((BULK, EXPRESS), 3, 1, 10)],
            id="images alone, in unequal shares",
        ),
        pytest.param(TAKEN, 2, [((EXPRESS, BULK), 1, 2, 0), SEND], id="too few to reserve one"),
        pytest.param((DELIVERIES,), 32, [SEND], id="deliveries alone"),
        pytest.param((BULK,), 4, [((BULK,), 2, 2, 0)], id="bulk alone"),
    ],
)
def test_no_kind_of_job_can_hold_all_workers(queues: tuple[str, ...], workers: int, expected: list[Any]) -> None:
    """A quarter takes no bulk, and webhooks have a process of their own, unless another pool has."""
    settings = replace(load_settings({}), workers=workers, worker_processes=2)
    roles = roles_of(queues, settings=settings)
    assert [(role.queues, role.threads, number, role.niceness) for role, number in roles.items()] == expected


@pytest.mark.parametrize(
    ("mebibytes", "processes", "threads"),
    [
        pytest.param(0, 2, 12, id="no limit of its own"),
        pytest.param(4096, 2, 12, id="the default"),
        pytest.param(1500, 2, 12, id="enough for one image of each"),
        pytest.param(1300, 3, 8, id="too little for one of each"),
        pytest.param(1100, 4, 6, id="the least for all images"),
        pytest.param(256, 24, 1, id="too little"),
    ],
)
def test_the_largest_images_of_a_process_fit_its_memory(mebibytes: int, processes: int, threads: int) -> None:
    """Where they would not, the same number of jobs has more processes."""
    limit = mebibytes * 2**20
    settings = replace(load_settings({}), workers=32, worker_processes=2, worker_memory_limit=limit)
    roles = roles_of((EXPRESS, BULK), settings=settings)
    ((general, number),) = [each for each in roles.items() if BULK in each[0].queues]
    assert (number, general.threads) == (processes, threads)
    sources = threads * settings.max_image_bytes  # at least one image of each product
    assert sources + MemoryBudget(limit).size + OTHER_BYTES <= (limit or DEFAULT_LIMIT) or threads == 1


OF_LONERS = [(TAKEN, 3), ((DELIVERIES,), 0)]


def test_every_job_that_must_run_alone_gets_a_process(app: Flask) -> None:
    """One for each, up to as many as take all files; a pool of webhooks alone starts none."""
    settings = replace(services().settings, worker_processes=3)
    pools = {most: Pool(app, jobs=jobs, settings=settings, queues=queues) for queues, most in OF_LONERS}
    for waiting in (0, 1, 5):
        ids = range(1, waiting + 1)
        enqueue.products(ids, dict.fromkeys(ids, Turn(is_alone=True)))
        for most, ours in pools.items():
            assert ours.missing().count(LONER) == min(waiting, most)


def test_a_pool_that_is_stopped_just_before_a_fork_starts_no_worker(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes after the pool has looked at its state: the worker would never be told to end."""
    ours = Pool(app, jobs=jobs, settings=services().settings)

    @contextmanager
    def interrupted() -> Iterator[None]:
        ours.request_stop(signal.SIGTERM, None)
        yield

    monkeypatch.setattr(pool, "delayed_stop_signals", interrupted)
    ours.check_workers()
    try:
        assert ours.worker_dict == {}
    finally:
        for worker in ours.worker_dict.values():
            worker.process.kill()


def test_a_stop_signal_inside_code_that_ignores_exceptions_is_not_lost(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ's handler raises StopRequested, which a `__del__` swallows; the worker ends all the same."""
    looks: list[int] = []

    def interrupted(*_: Any, **__: Any) -> None:
        looks.append(len(looks))
        assert len(looks) < 3, "the worker goes on"
        with suppress(StopRequested):
            worker.request_stop(signal.SIGINT, None)
        raise DequeueTimeout(1, [])

    monkeypatch.setattr(JobQueue, "dequeue_any", interrupted)
    monkeypatch.setattr(PreloadedWorker, "app", app, raising=False)
    worker = PreloadedWorker([EXPRESS], connection=redis_client(), serializer=JSONSerializer)
    with _signals_kept():
        worker.work(logging_level="CRITICAL")
    assert looks == [0]


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what a worker in this process does at a signal."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        lease.stopping.clear()
        for number, handler in handlers.items():
            signal.signal(number, handler)
