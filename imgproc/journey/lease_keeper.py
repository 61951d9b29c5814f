"""Watches all leases of a process in one thread: a thread for each took a thirtieth of a small product's time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

MEMORY_PAUSE = 0.1  # seconds until the next look of a process that has no memory

log = structlog.get_logger(__name__)


class Held(Protocol):
    """What the keeper holds: `look` is called at least every `tick` seconds, and must not block."""

    tick: float
    give_back: Callable[[], None]

    def look(self, now: float) -> None:
        """Act on the time that has passed; `now` is of the monotonic clock."""


class Keeper:
    """Looks at everything that is held, from a thread that it starts when the first is."""

    def __init__(self) -> None:
        self._held: set[Held] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._tick = 0.0  # seconds that the thread now sleeps; 0 while nothing is held

    def hold(self, held: Held) -> None:
        """Begin to look at `held`.

        Raises:
            RuntimeError: there is no memory for a thread.
        """
        with self._changed:
            if self._thread is None or not self._thread.is_alive():  # it may have ended for lack of memory
                thread = threading.Thread(target=self._run, name="leases", daemon=True)
                thread.start()
                self._thread = thread
            elif not 0 < self._tick <= held.tick:
                self._changed.notify()
            self._held.add(held)

    def release(self, held: Held) -> int:
        """Stop looking at `held`; a look under way may still end. Returns how many others the process holds."""
        with self._changed:
            self._held.discard(held)
            return len(self._held)

    def others(self, held: Held) -> list[Held]:
        """Everything else that the process holds."""
        with self._changed:
            return list(self._held - {held})

    def _run(self) -> None:
        while True:
            try:
                self._look_at_all()
            except MemoryError:  # not even for the pause, or for a line in the log
                time.sleep(MEMORY_PAUSE)

    def _look_at_all(self) -> None:
        for held in self._after_a_pause():
            try:
                held.look(time.monotonic())
            except (MemoryError, RuntimeError) as error:  # no memory for a thread; the next look may have it
                log.warning("lease_check_failed", error=repr(error))

    def _after_a_pause(self) -> list[Held]:
        with self._changed:
            self._tick = min((held.tick for held in self._held), default=0.0)
            self._changed.wait(self._tick or None)
            return list(self._held)


keeper = Keeper()


def _reset() -> None:
    """Replace what a forked child has of its parent: leases that are not its own, and a lock in any state."""
    keeper.__init__()  # type: ignore[misc]  # the same object, which other modules have imported


os.register_at_fork(after_in_child=_reset)
