"""The roles of a pool's workers, and its stop at any moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from flask import Flask
from rq.exceptions import DequeueTimeout, StopRequested
from rq.serializers import JSONSerializer

from imgproc.journey import jobs, lease
from imgproc.journey.services import services
from imgproc.queue.connection import redis_client
from imgproc.queue.enqueue import BULK, DELIVERIES, EXPRESS, QUEUES
from imgproc.queue.rq_classes import JobQueue
from imgproc.worker import pool
from imgproc.worker.delivery_worker import DeliveryWorker
from imgproc.worker.pool import Pool, roles_of
from imgproc.worker.preloaded_worker import PreloadedWorker


@pytest.mark.parametrize(
    ("queues", "workers", "expected"),
    [
        pytest.param(
            QUEUES, 32, [((EXPRESS,), 8, 0), ((BULK, EXPRESS), 24, 10), ((DELIVERIES,), 1, 0)], id="the default"
        ),
        pytest.param(QUEUES, 2, [((EXPRESS, BULK), 2, 0), ((DELIVERIES,), 1, 0)], id="too few to reserve one"),
        pytest.param((DELIVERIES,), 32, [((DELIVERIES,), 1, 0)], id="deliveries alone"),
        pytest.param((EXPRESS, BULK), 4, [((EXPRESS,), 1, 0), ((BULK, EXPRESS), 3, 10)], id="images alone"),
        pytest.param((BULK,), 4, [((BULK,), 4, 0)], id="bulk alone"),
    ],
)
def test_no_kind_of_job_can_hold_all_workers(queues: tuple[str, ...], workers: int, expected: list[Any]) -> None:
    """A quarter takes no bulk, and webhooks have a process of their own, unless another pool has."""
    roles = roles_of(queues, workers=workers)
    assert [(role.queues, number, role.niceness) for role, number in roles.items()] == expected
    assert {role.worker_class for role in roles if DELIVERIES in role.queues} <= {DeliveryWorker}


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
