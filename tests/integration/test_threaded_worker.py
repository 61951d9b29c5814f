"""A process works on several jobs at a time, and takes no job that it has no thread for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from rq.serializers import JSONSerializer

from imgproc.journey import jobs
from imgproc.queue import enqueue
from imgproc.queue.connection import redis_client
from imgproc.worker.threaded_worker import ThreadedWorker
from tests.integration.driver import the_app

pytestmark = pytest.mark.usefixtures("app")

IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(5)]


class Sending:
    """Deliveries that last until they are told to end."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.begun = threading.Semaphore(0)
        self.end = threading.Event()

    def deliver(self, delivery_id: str) -> None:
        """Take the place of the job."""
        self.started.append(delivery_id)
        self.begun.release()
        if delivery_id == IDS[0]:
            raise RuntimeError("one that fails")
        assert self.end.wait(60)


@pytest.fixture
def sending(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    """A worker of three threads that is running, in a thread of its own."""
    found = Sending()
    monkeypatch.setattr(jobs, "deliver", found.deliver)
    monkeypatch.setattr(ThreadedWorker, "app", the_app(), raising=False)
    monkeypatch.setattr(ThreadedWorker, "_install_signal_handlers", lambda _self: None)
    enqueue.deliveries(IDS)
    worker = ThreadedWorker([enqueue.DELIVERIES], connection=redis_client(), serializer=JSONSerializer, threads=3)
    thread = threading.Thread(target=worker.work, kwargs={"burst": True, "logging_level": "CRITICAL"})
    thread.start()
    yield found
    found.end.set()
    thread.join(60)
    assert sorted(found.started) == IDS


def test_works_on_several_jobs_at_a_time(sending: Sending) -> None:
    """Three hang here, after one that failed; the last stays in the queue for other workers."""
    for _ in range(4):
        assert sending.begun.acquire(timeout=60)
    assert sorted(sending.started) == IDS[:4]
    assert enqueue.queue_lengths()[enqueue.DELIVERIES] == 1
