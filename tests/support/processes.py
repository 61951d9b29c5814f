"""Waiting for processes that a test started."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil


def wait_until(condition: Callable[[], bool], *, seconds: float = 60, pause: float = 0.02) -> None:
    """Wait until `condition` holds, or fail; the default time is generous, since the machine may be busy."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(pause)


class Children:
    """The child processes that were started after this object; other tests may have left theirs running."""

    def __init__(self) -> None:
        self._known = {child.pid for child in psutil.Process().children()}

    def __call__(self) -> list[psutil.Process]:
        """The children that run or are zombies."""
        return [child for child in psutil.Process().children() if child.pid not in self._known]


def is_alive(process: psutil.Process | int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        process = psutil.Process(process) if isinstance(process, int) else process
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
