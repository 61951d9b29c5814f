"""Ends a worker that is stuck in a C call which holds the GIL, so that none of its own threads can end it.

Each worker has a thread that counts in memory shared with the pool's process. If the count stands still, no Python code
runs in the worker, and the pool measures for how long. Only time counts in which the worker computed, or in which all
of its threads slept. So a worker is left alone that is stopped (SIGSTOP, a frozen container, a sleeping laptop), waits
for a disk or for swapped memory, or gets no processor on a busy machine. An outage does not count either, because a
thread that waits for a network releases the GIL.
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
LONGEST_LOOK = 2.0  # seconds that one look may count; looks further apart mean that the pool itself was stopped
LEAST_PATIENCE = 5.0  # seconds; a call that holds the GIL for less is slow, not stuck
LOOKS_TO_DIE = 10  # looks until a child that writes its stacks is killed


class Pulse:
    """Counts while Python code runs in its process. The parent makes it before the fork, and shares its memory."""

    def __init__(self) -> None:
        self._beats = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    @property
    def beats(self) -> int:
        """The present count."""
        return self._beats[0]

    def start(self) -> None:
        """Start the thread that counts until the process ends, and write the stacks to stderr on a fatal signal."""
        faulthandler.enable()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def _beat(self) -> None:
        while True:
            self._beats[0] += 1
            time.sleep(BEAT_SECONDS)


class Watch:
    """Watches the pulse of one child from its parent; `patience` is in seconds."""

    def __init__(self, pulse: Pulse, *, patience: float) -> None:
        self._pulse = pulse
        self._patience = max(patience, LEAST_PATIENCE)
        self._beats = -1
        self._stuck_for = self._looked_at = self._computed = 0.0
        # faulthandler writes the stacks at SIGABRT, and gets some time for it
        self._signals = chain([signal.SIGABRT], repeat(None, LOOKS_TO_DIE), repeat(signal.SIGKILL))

    def is_stuck(self, pid: int) -> bool:
        """Whether the child has been stuck for longer than `patience`; ask about once a second."""
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
        """Make the child write its stacks and die; kill it if it lives some calls later. Returns the signal sent."""
        number = next(self._signals)
        if number:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return number


def computed_seconds(pid: int) -> float:
    """The processor time of a process, in seconds; on other systems than Linux the time that passes."""
    if sys.platform != "linux":
        return time.monotonic()
    try:
        fields = _stat(Path(f"/proc/{pid}/stat"))
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def all_asleep(pid: int) -> bool:
    """Whether all threads of a process sleep: none runs, is stopped, or waits for a processor or disk. Linux only."""
    if sys.platform != "linux":
        return False
    try:
        return all(_stat(thread / "stat")[0] == "S" for thread in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


def _stat(file: Path) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on; the second, the name, ends with the last bracket."""
    return file.read_text().rpartition(")")[2].split()
