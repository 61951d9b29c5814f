"""Places in the code where a process falls when a trap is set there: it is killed, or stopped, at just that point.

A trap is a file named for the place; whoever arrives first and takes the file away is caught. Only a process started
by `start.py` or `web.py` looks for them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = "CHAOS_TRAPS"


def arm(module: ModuleType, name: str) -> None:
    """Make `module.name` look for a trap of that name before it does anything."""
    function: Callable[..., Any] = getattr(module, name)
    trap = Path(os.environ[FOLDER]) / name

    def step(*arguments: Any, **options: Any) -> Any:
        fall_into(trap)
        return function(*arguments, **options)

    setattr(module, name, step)


def fall_into(trap: Path) -> None:
    """Take the trap away, if it is there, leave our process id, and suffer the signal."""
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
    """Catch the next process that comes to `name`."""
    draft = folder / f".{name}"
    draft.write_text(number.name)
    draft.rename(folder / name)


def take_back(folder: Path, name: str) -> bool:
    """Remove a trap; False where somebody has fallen into it."""
    try:
        (folder / name).unlink()
    except FileNotFoundError:
        return False
    return True
