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


def is_alive(process: psutil.Process | int) -> bool:
    """Does it run? A zombie, whose parent has not looked yet, is dead."""
    try:
        process = psutil.Process(process) if isinstance(process, int) else process
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
