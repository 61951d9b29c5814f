"""The threads in which the images of products are made: products share them, as starting some for each took time."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore
from typing import TypeVar

MOST_THREADS = 4096  # one is started only where none is idle

Item = TypeVar("Item")
Result = TypeVar("Result")


class ImageThreads:
    """Threads that this process starts as it needs them, and keeps. `most` images are made at a time, of all products.

    So the largest sources of all of them fit its memory, and it may work on as many products that have one image each.
    """

    def __init__(self, most: int) -> None:
        self._executor = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="image")
        self._places = BoundedSemaphore(most)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item], *, at_once: int) -> list[Result]:
        """As `map`, but up to `at_once` items at a time, one of them in the calling thread.

        What the calling thread has bound for its log holds in the other threads, too. It waits for what has begun, then
        raises what the function raised first, and the rest is not begun.
        """
        # Each with a context of its own, because one can be entered by one thread at a time.
        left = deque((number, item, contextvars.copy_context()) for number, item in enumerate(items))
        results: dict[int, Result] = {}
        raised: list[BaseException] = []

        def work() -> None:
            while left and not raised:
                with self._places:
                    try:
                        number, item, context = left.popleft()
                    except IndexError:  # the other threads have taken them all
                        return
                    try:
                        results[number] = context.run(function, item)
                    except BaseException as error:  # noqa: BLE001 - raised again by the calling thread
                        raised.append(error)

        helpers: list[Future[None]] = []
        try:
            for _ in range(min(at_once, len(items)) - 1):
                helpers.append(self._executor.submit(work))  # noqa: PERF401 - where one cannot start, those before have
            work()
        finally:
            left.clear()
            wait(helpers)
        if raised:
            raise raised[0]
        return [results[number] for number in range(len(items))]
