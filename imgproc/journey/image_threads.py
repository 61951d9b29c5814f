"""The threads that make images. Products share them, because starting threads for each took a tenth of its time."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Condition
from typing import TypeVar

from imgproc.pipeline.images.guards.memory import Budget

MOST_THREADS = 4096  # one is started only where none is idle

Item = TypeVar("Item")
Result = TypeVar("Result")


class ImageThreads:
    """Threads that this process starts as it needs them, and keeps. `most` images are made at a time, of all products.

    So the largest sources of all of them fit its memory, and it may work on as many products that have one image each.
    """

    def __init__(self, most: int) -> None:
        self._executor = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="image")
        self._places = Budget(most)  # given in the order they are asked for, unlike those of a semaphore

    def map(self, function: Callable[[Item], Result], items: Sequence[Item], *, at_once: int) -> list[Result]:
        """As `map`, but up to `at_once` items at a time, one of them in the calling thread.

        What the calling thread has bound for its log holds in the other threads, too. After an exception no other item
        begins. It is raised once those that have begun have ended.
        """
        # Each item has a context of its own, because only one thread at a time can enter a context.
        left = deque((number, item, contextvars.copy_context()) for number, item in enumerate(items))
        results: dict[int, Result] = {}
        raised: list[BaseException] = []
        begun, changed = set[int](), Condition()

        def work() -> None:
            while left and not raised:
                with self._places.hold(1):
                    with changed:
                        if not left or raised:
                            return
                        number, item, context = left.popleft()
                        begun.add(number)
                    try:
                        results[number] = context.run(function, item)
                    except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
                        raised.append(error)
                    finally:
                        with changed:
                            begun.discard(number)
                            changed.notify()

        try:
            with suppress(RuntimeError, MemoryError):  # no memory for a thread; with fewer it takes longer
                for _ in range(min(at_once, len(items)) - 1):
                    self._executor.submit(work)
            work()
        finally:
            with changed:  # not the end of the threads: one that waits for a place finds nothing left
                left.clear()
                changed.wait_for(lambda: not begun)
        if raised:
            try:
                raise raised[0]
            finally:
                raised.clear()  # a cycle with its traceback, which would keep the picture until a collection
        return [results[number] for number in range(len(items))]
