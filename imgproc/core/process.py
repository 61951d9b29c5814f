"""Process helpers: end with the parent, limit memory, yield the processor, write no core dump, stop on signals."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}  # of a process and of its children
M_ARENA_MAX = -8  # malloc.h of glibc
WORKER_NICENESS = 8  # of the session of workers, so that the web process, Redis and the store answer at once


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send this signal when the parent process ends in any way. Linux only; elsewhere a no-op."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))


def show_command(command: Sequence[str]) -> None:
    """Show `command` as the command line of this process in `ps`, as far as there is room. Linux only.

    A forked process has the command line of its parent in its memory (`/proc/self/cmdline`, proc(5)).
    """
    if sys.platform == "linux":
        begin, end = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
        text = "\0".join(command).encode()[: end - begin - 1]
        ctypes.memmove(begin, text.ljust(end - begin, b"\0"), end - begin)


def limit_memory(size: int) -> None:
    """Limit the private memory of this process to `size` bytes; beyond, Python raises MemoryError. 0 is no limit.

    Linux only; elsewhere a no-op, because no other kernel counts mapped memory in RLIMIT_DATA (getrlimit(2)).

    All threads share one heap. glibc's default is a heap for each thread, which keeps the memory that encoders have
    freed: 155 MB after a large AVIF, which other threads cannot use.
    """
    if size and sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # musl has one heap
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def yield_to_other_sessions(niceness: int) -> None:
    """Give all processes of our session together this nice value, 0 to 19. Linux only; elsewhere a no-op.

    Where Linux groups processes by session, `nice` counts within a session only, and each session gets the same share
    of the processor (sched(7), "The autogroup feature"). Call it where the session is our own. Within a cgroup for the
    processor, as in a container, sessions do not count, and `nice` counts among all processes.
    """
    for _ in range(10):
        try:
            Path("/proc/self/autogroup").write_text(str(niceness))
        except BlockingIOError:  # one process of the machine may do so every 100 ms
            time.sleep(0.1)
        except OSError:  # no such file, or not ours to write
            return
        else:
            return


def dump_no_core() -> None:
    """Write no core file when this process crashes: images that crash workers would fill the disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def confine(*, memory: int, seconds: int, wait: int) -> None:
    """Let the kernel end this process with its parent, after `seconds` of processor time, or after `wait` seconds.

    The signals are SIGKILL, SIGXCPU and SIGALRM. Memory beyond `memory` bytes is refused, as `limit_memory` says.
    """
    die_with_parent()
    dump_no_core()
    limit_memory(memory)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    signal.alarm(wait)


@contextlib.contextmanager
def delayed_stop_signals() -> Iterator[None]:
    """Deliver SIGTERM and SIGINT after the block. A child that is forked in it delays them until it accepts them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def accept_stop_signals() -> None:
    """End this process on SIGTERM and SIGINT, also on delayed ones, instead of running its parent's handlers."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


class SignalEvent(threading.Event):
    """An event that a signal handler may set. `threading.Event` deadlocks if the handler interrupts its `wait`.

    Wait with a time-out: a handler that interrupts the wait just before it sleeps does not wake it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cond = threading.Condition()  # its lock is one that the interrupted thread may take again


def stop_on_signals() -> SignalEvent:
    """An event that SIGTERM, SIGINT (Ctrl-C) or SIGHUP (the terminal closed) sets."""
    stop = SignalEvent()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop
