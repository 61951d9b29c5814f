"""Waiting for processes that a test started."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil


def wait_until(condition: Callable[[], bool], *, seconds: float = 60, pause: float = 0.02) -> None:
    """Fail where `condition` does not come true; generous, since the machine may be busy."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)


class Children:
    """The processes that this one has started since; other tests may have left theirs running."""

    def __init__(self) -> None:
        self._known = {child.pid for child in psutil.Process().children()}

    def __call__(self) -> list[psutil.Process]:
        """Those that run, or have not been waited for."""
        return [child for child in psutil.Process().children() if child.pid not in self._known]


def is_alive(process: psutil.Process | int) -> bool:
    """Does it run? A zombie, whose parent has not looked yet, is dead."""
    try:
        process = psutil.Process(process) if isinstance(process, int) else process
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
