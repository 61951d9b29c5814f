"""The memory that the images of one process share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.cost import MB

OTHER_BYTES = 300 * MB  # of a worker: the process, sources that wait, and memory that its threads do not give back
DEFAULT_LIMIT = 4096 * 1024 * 1024  # bytes, for a worker without a limit of its own


class _Waiter(NamedTuple):
    need: int
    admitted: threading.Event


class MemoryBudget:
    """Admits an image once the memory it needs is free; `limit` is that of the process in bytes, 0 for none.

    Images are admitted in the order they ask, so small ones do not keep a large one waiting. An image asks once, so two
    never wait for each other.
    """

    def __init__(self, limit: int) -> None:
        self.size = max(0, (limit or DEFAULT_LIMIT) * 3 // 4 - OTHER_BYTES)
        self._free = self.size
        self._lock = threading.Lock()
        self._waiting: deque[_Waiter] = deque()

    @contextmanager
    def hold(self, need: int) -> Iterator[None]:
        """Wait until `need` bytes are free, and hold them for the block.

        Raises:
            CompressError: `too_many_pixels`, where `need` is more than the whole budget.
        """
        if need > self.size:
            detail = "The picture needs more memory than a worker has; give a smaller one, or a smaller scale."
            raise CompressError(detail, code="too_many_pixels")
        waiter = _Waiter(need, threading.Event())
        with self._lock:
            self._waiting.append(waiter)
            self._admit()
        try:
            waiter.admitted.wait()
            yield
        finally:
            with self._lock:
                if waiter.admitted.is_set():
                    self._free += need
                else:  # An exception ended the wait.
                    self._waiting.remove(waiter)
                self._admit()

    def _admit(self) -> None:
        while self._waiting and self._waiting[0].need <= self._free:
            waiter = self._waiting.popleft()
            self._free -= waiter.need
            waiter.admitted.set()
