"""What a process of ours asks of the kernel: an end with its parent, a limit of memory, and an event for signals."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1  # prctl(2)
M_ARENA_MAX = -8  # malloc.h of glibc


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send us this signal when our parent ends, however it does. Linux only; elsewhere a no-op."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))


def limit_memory(size: int) -> None:
    """Let this process have `size` bytes of memory of its own; beyond, Python raises MemoryError. 0 is no limit.

    Linux only; elsewhere a no-op, as no other kernel counts mapped memory in RLIMIT_DATA (getrlimit(2)).

    Its threads share one heap. With one each, the default of glibc, a thread keeps what the encoders in it gave back:
    155 MB after a large AVIF, which the others cannot use.
    """
    if size and sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # musl has one heap
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def dump_no_core() -> None:
    """Leave no core file when this process crashes: three for every poisonous picture would fill the disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def stop_on_signals() -> threading.Event:
    """An event that is set by SIGTERM, SIGINT (Ctrl-C) or SIGHUP (the terminal closed)."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop
