"""Traps kill or suspend a process at an exact point of the code.

A trap is a file with the name of a function. The first process that calls the function takes the file and gets the
signal. Only processes started by `start.py` or `web.py` look for traps.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from imgproc.journey.warm_up import NO_ID, NO_PRODUCT

FOLDER = "CHAOS_TRAPS"


def arm(module: ModuleType, name: str) -> None:
    """Make `module.name` look for a trap of that name before it runs, except for the rows of nobody: see `warm_up`."""
    function: Callable[..., Any] = getattr(module, name)
    trap = Path(os.environ[FOLDER]) / name

    def step(*arguments: Any, **options: Any) -> Any:
        if arguments[:1] not in ((NO_ID,), (NO_PRODUCT,)):
            trigger(trap)
        return function(*arguments, **options)

    setattr(module, name, step)


def trigger(trap: Path) -> None:
    """If the trap exists, take it, write our process id, and send ourselves its signal."""
    taken = trap.with_suffix(f".{os.getpid()}")
    try:
        trap.rename(taken)
    except FileNotFoundError:
        return
    number = signal.Signals[taken.read_text()]
    taken.write_text(str(os.getpid()))
    taken.rename(trap.with_suffix(".caught"))
    os.kill(os.getpid(), number)


def set_trap(folder: Path, name: str, *, number: signal.Signals = signal.SIGKILL) -> None:
    """Set a trap for the next process that calls `name`."""
    draft = folder / f".{name}"
    draft.write_text(number.name)
    draft.rename(folder / name)


def take_back(folder: Path, name: str) -> bool:
    """Remove a trap; False if a process has already triggered it."""
    try:
        (folder / name).unlink()
    except FileNotFoundError:
        return False
    return True
