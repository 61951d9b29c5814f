"""The threads that make the images of products."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from imgproc.journey.image_threads import ImageThreads
from tests.support.processes import wait_until

MOST = 5  # images of all products

bound: ContextVar[str] = ContextVar("bound")


@pytest.fixture
def threads() -> Iterator[ImageThreads]:
    """Threads of this test alone."""
    made = ImageThreads(MOST)
    yield made
    made._executor.shutdown()


@pytest.mark.parametrize(("items", "at_once"), [(0, 4), (1, 4), (2, 1), (3, 4), (9, 4)])
def test_returns_the_results_in_order(threads: ImageThreads, items: int, at_once: int) -> None:
    """However many items there are, and threads."""
    assert threads.map(lambda item: -item, range(items), at_once=at_once) == [-item for item in range(items)]


def test_so_many_run_at_a_time_and_no_more(threads: ImageThreads) -> None:
    """Three meet at a barrier, and there is never a fourth."""
    meet, running, most = threading.Barrier(3, timeout=60), [], []

    def work(item: int) -> None:
        running.append(item)
        most.append(len(running))
        meet.wait()
        running.remove(item)
        meet.wait()

    threads.map(work, range(9), at_once=3)
    assert max(most) == 3


def test_products_share_the_places_of_the_process(threads: ImageThreads) -> None:
    """The sources of all its images must fit its memory: four products of three images each have five at a time."""
    full, lock, running, most = threading.Event(), threading.Lock(), [0], [0]

    def work(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            if running[0] == MOST:
                full.set()
        assert full.wait(60)
        with lock:
            running[0] -= 1

    with ThreadPoolExecutor(4) as products:
        list(products.map(lambda _: threads.map(work, range(3), at_once=3), range(4)))
    assert most[0] == MOST


def test_a_product_that_is_done_waits_for_no_place(threads: ImageThreads) -> None:
    """Its helpers may still wait for one: large products hold all of them, for as long as their images take."""
    goes_on, full = threading.Event(), threading.Barrier(MOST, timeout=60)

    def hold(item: int) -> None:
        if item < MOST - 1:
            full.wait()
            goes_on.wait(60)

    with ThreadPoolExecutor(2) as products:
        large = products.submit(threads.map, hold, range(MOST - 1), at_once=MOST - 1)
        full.wait()
        small = products.submit(threads.map, lambda item: item, range(4), at_once=4)  # one place is left
        assert small.result(60) == [0, 1, 2, 3]
        goes_on.set()
        large.result(60)


def test_a_place_goes_to_who_asked_first(threads: ImageThreads) -> None:
    """Else a small product would wait until the large ones have ended: their threads are there at once."""
    order: list[str] = []
    begun, asked = threading.Barrier(MOST + 1, timeout=60), threading.Event()

    def large(item: int) -> None:
        if item < MOST:
            begun.wait()
            asked.wait(60)
        time.sleep(0.005)  # as images do, it leaves Python's lock to others
        order.append("large")

    with ThreadPoolExecutor(2) as products:
        first = products.submit(threads.map, large, range(8 * MOST), at_once=MOST)
        begun.wait()
        small = products.submit(threads.map, lambda _: order.append("small"), range(1), at_once=1)
        wait_until(lambda: len(threads._places._waiting) == 1)
        asked.set()
        first.result(60)
        small.result(60)
    assert order.index("small") <= 2 * MOST


def test_the_next_product_uses_the_same_threads(threads: ImageThreads) -> None:
    """Starting threads for each product took a tenth of its time."""
    meet = threading.Barrier(3, timeout=60)

    def name_of_thread(_: int) -> str:
        meet.wait()
        return threading.current_thread().name

    first, second = (set(threads.map(name_of_thread, range(3), at_once=3)) for _ in range(2))
    assert first == second
    assert threading.current_thread().name in first


def test_threads_see_what_the_caller_has_bound(threads: ImageThreads) -> None:
    """Their log lines carry its ids; what one item binds, another does not see."""
    bound.set("caller")

    def work(item: int) -> str:
        seen = bound.get()
        bound.set(str(item))
        return seen

    assert threads.map(work, range(4), at_once=2) == ["caller"] * 4
    assert bound.get() == "caller"


@pytest.mark.parametrize("at_once", [1, 3])
def test_the_first_exception_ends_the_work(threads: ImageThreads, at_once: int) -> None:
    """What has begun ends before it is raised, and the rest is not begun."""
    begun, ended = [], []

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise LookupError(item)
        time.sleep(0.01)
        ended.append(item)

    with pytest.raises(LookupError):
        threads.map(work, range(50), at_once=at_once)
    assert set(begun) == {0, *ended}
    assert len(begun) < 50


def test_a_thread_that_cannot_start_leaves_nothing_behind(
    threads: ImageThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process at its memory limit starts no thread: the calling one does all, and no other does it again."""
    done: list[int] = []

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        threads.map(done.append, range(3), at_once=3)
    assert done == [0, 1, 2]
    assert threads.map(lambda item: item, range(3), at_once=3) == [0, 1, 2]
