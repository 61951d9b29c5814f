"""The memory that the images of one process share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.guards.cost import IMAGE_BYTES, MB

OTHER_BYTES = 300 * MB  # of a worker: the process, sources that wait, and memory that its threads do not give back
DEFAULT_LIMIT = 4096 * 1024 * 1024  # bytes, for a worker without a limit of its own


def pixel_bytes(limit: int) -> int:
    """The bytes that a process with this limit (0 for none) has for pixels and encoders: at least the largest image."""
    limit = limit or DEFAULT_LIMIT
    return max(0, limit * 3 // 8 - OTHER_BYTES, min(IMAGE_BYTES, limit * 3 // 4 - OTHER_BYTES))


def images_at_once(limit: int, *, source_bytes: int) -> int:
    """How many images a process with this limit may work on, if the source of each takes up to `source_bytes`."""
    return max(1, ((limit or DEFAULT_LIMIT) - OTHER_BYTES - pixel_bytes(limit)) // source_bytes)


class _Waiter(NamedTuple):
    need: int
    admitted: threading.Event


class Budget:
    """Admits an image once what it needs of `size` is free.

    Images are admitted in the order they ask, so small ones do not keep a large one waiting. An image asks once, so two
    never wait for each other.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._lock = threading.Lock()
        self._waiting: deque[_Waiter] = deque()

    @contextmanager
    def hold(self, need: int) -> Iterator[None]:
        """Wait until `need` is free, and hold it for the block.

        Raises:
            CompressError: `too_many_pixels`, where `need` is more than the whole budget.
        """
        if need > self.size:
            detail = "The picture needs more memory than a worker has; give a smaller one, or a smaller scale."
            raise CompressError(detail, code="too_many_pixels")
        waiter = self._admit_now(need)
        try:
            if waiter:
                waiter.admitted.wait()
            yield
        finally:
            with self._lock:
                if waiter is None or waiter.admitted.is_set():
                    self._free += need
                else:  # An exception ended the wait.
                    self._waiting.remove(waiter)
                self._admit()

    def _admit_now(self, need: int) -> _Waiter | None:
        """Take `need` bytes if they are free and no image waits; otherwise the place in the queue."""
        with self._lock:
            if need <= self._free and not self._waiting:
                self._free -= need
                return None
            waiter = _Waiter(need, threading.Event())
            self._waiting.append(waiter)
            return waiter

    def _admit(self) -> None:
        while self._waiting and self._waiting[0].need <= self._free:
            waiter = self._waiting.popleft()
            self._free -= waiter.need
            waiter.admitted.set()


class MemoryBudget(Budget):
    """The bytes that the images of a process share; `limit` is that of the process, 0 for none."""

    def __init__(self, limit: int) -> None:
        super().__init__(pixel_bytes(limit))
