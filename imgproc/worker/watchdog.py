"""Ends a worker that is stuck inside a C call which holds the GIL: no thread of its own could do that.

Each worker has a thread that counts in memory shared with the pool's process. A worker whose count stands still is
looked at from outside. Only the time counts in which it computed, or in which all of its threads slept: none in which
it was stopped (SIGSTOP, a frozen container, a laptop asleep), waited for a disk or for swapped memory, or got no turn
on a busy machine. An outage does not matter, because whoever waits for a network has let go of the GIL.
"""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import signal
import sys
import threading
import time
from itertools import chain, repeat
from pathlib import Path

BEAT_SECONDS = 0.25
LONGEST_LOOK = 2.0  # seconds that one look may count; looks further apart mean that we were stopped ourselves
LEAST_PATIENCE = 5.0  # seconds; a call that holds the GIL for less is slow, not stuck
LOOKS_TO_DIE = 10  # that a child has for writing its stacks, before it is killed


class Pulse:
    """Counts for as long as Python code runs in its process; shared with the parent that made it before the fork."""

    def __init__(self) -> None:
        self._beats = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    @property
    def beats(self) -> int:
        """How often it has counted."""
        return self._beats[0]

    def start(self) -> None:
        """Count from a thread of this process until it ends; on a fatal signal its stacks are written to stderr."""
        faulthandler.enable()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def _beat(self) -> None:
        while True:
            self._beats[0] += 1
            time.sleep(BEAT_SECONDS)


class Watch:
    """What the parent knows of one child's pulse; `patience` is in seconds."""

    def __init__(self, pulse: Pulse, *, patience: float) -> None:
        self._pulse = pulse
        self._patience = max(patience, LEAST_PATIENCE)
        self._beats = -1
        self._stuck_for = self._looked_at = self._computed = 0.0
        # faulthandler answers the first with the stacks, for which it has a while
        self._signals = chain([signal.SIGABRT], repeat(None, LOOKS_TO_DIE), repeat(signal.SIGKILL))

    def is_stuck(self, pid: int) -> bool:
        """Look once, as is to be done about every second: has the child been stuck for longer than our patience?"""
        now, beats = time.monotonic(), self._pulse.beats
        passed, self._looked_at = min(now - self._looked_at, LONGEST_LOOK), now
        if beats != self._beats:
            self._beats, self._stuck_for, self._computed = beats, 0.0, computed_seconds(pid)
            return False
        computed = computed_seconds(pid)
        self._stuck_for += passed if all_asleep(pid) else min(passed, computed - self._computed)
        self._computed = computed
        return self._stuck_for > self._patience

    def end(self, pid: int) -> signal.Signals | None:
        """Let it write its stacks and die; kill it where it has not after some looks. The signal sent now, if any."""
        number = next(self._signals)
        if number:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return number


def computed_seconds(pid: int) -> float:
    """The processor time of a process in seconds; elsewhere than on Linux the time that passes."""
    if sys.platform != "linux":
        return time.monotonic()
    try:
        fields = _stat(Path(f"/proc/{pid}/stat"))
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def all_asleep(pid: int) -> bool:
    """Does every thread of a process sleep, none run, wait for a processor or a disk, or is stopped? Linux only."""
    if sys.platform != "linux":
        return False
    try:
        return all(_stat(thread / "stat")[0] == "S" for thread in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


def _stat(file: Path) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on; the second may hold anything, but ends with a bracket."""
    return file.read_text().rpartition(")")[2].split()
