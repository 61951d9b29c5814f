"""Keeps child processes alive, and lets none of them outlive us, however we die.

On Linux the kernel kills every child when we end (`PR_SET_PDEATHSIG`, prctl(2)), even by SIGKILL. Elsewhere children
are stopped on every way out but SIGKILL.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from imgproc.core.process import PR_SET_PDEATHSIG

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
FIRST_RESTART_SECONDS = 0.5
LAST_RESTART_SECONDS = 30.0
STABLE_SECONDS = 60.0  # a child that lived this long is restarted as promptly as if it had never died
LAST_GRACE_SECONDS = 2.0
TAIL_LINES = 15

# Runs between us and the command, in an interpreter of its own: code in the forked child itself (`preexec_fn`) may
# deadlock where threads run. It ends at once if we died before the kernel knew what to do about that.
LAUNCHER = f"""
import os, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl({PR_SET_PDEATHSIG}, {int(signal.SIGKILL)})
if os.getppid() == int(parent):
    os.execvp(command[0], command)
"""


class ServiceFailed(Exception):
    """A service did not become ready; the message says why and ends with the last lines of its log."""


class Stopped(Exception):
    """We were asked to stop before everything had started."""


@dataclass(frozen=True)
class Service:
    """A process to keep alive. Its output goes to `log_file`, or to ours; `ready` tells whether it serves yet."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    log_file: Path | None = None
    ready: Callable[[], bool] = lambda: True
    ready_timeout: float = 60.0


def spawn(service: Service) -> subprocess.Popen[bytes]:
    """Start the process of `service` in a session of its own, to be killed when we die.

    Call it from a thread that lives as long as the child shall: the kernel watches the thread, not the process.
    """
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), *service.command]
    with contextlib.ExitStack() as files:
        output = files.enter_context(service.log_file.open("ab")) if service.log_file else None
        return subprocess.Popen(  # noqa: S603 - the commands are ours
            command,
            cwd=service.folder,
            env={**os.environ, **service.environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop the children in order
        )


class Supervisor:
    """Starts services in order, restarts the dead until `stop` is set, and stops all of them in reverse order.

    Use it as a context manager, in a thread that outlives it. Leaving it stops every child; those that have not ended
    after `stop_timeout` seconds are killed.
    """

    def __init__(self, stop: threading.Event, *, stop_timeout: float = 15.0) -> None:
        self._stop = stop
        self._stop_timeout = stop_timeout
        self._children: list[_Child] = []

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        deadline = time.monotonic() + self._stop_timeout
        while self._children:
            self._children.pop().stop(deadline)

    def start(self, service: Service) -> None:
        """Start `service` and wait until it is ready.

        Raises:
            ServiceFailed: it ended, or was not ready in time; it is not running.
            Stopped: `stop` was set meanwhile.
        """
        child = _Child(service)
        self._children.append(child)
        deadline = time.monotonic() + service.ready_timeout
        while (failure := child.failure()) is None and time.monotonic() < deadline:
            if service.ready():
                return
            if self._stop.wait(POLL_SECONDS):
                raise Stopped
        self._children.pop().stop(time.monotonic())
        raise ServiceFailed(f"{service.name} {failure or 'was not ready in time'}{tail(service.log_file)}")

    def run(self) -> None:
        """Restart what dies, with a growing delay, until `stop` is set."""
        while not self._stop.wait(POLL_SECONDS):
            for child in self._children:
                child.tend()


class _Child:
    """One running service, and what we remember of its deaths."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._delay = FIRST_RESTART_SECONDS
        self._restart_at: float | None = None
        self._start()

    def _start(self) -> None:
        self._process = spawn(self.service)
        self._started_at = time.monotonic()
        self._restart_at = None

    def failure(self) -> str | None:
        """How the process ended, in words; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def tend(self) -> None:
        """Notice a death, or start again once the delay is over."""
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._start()
        elif failure := self.failure():
            self._kill_group()
            if now - self._started_at > STABLE_SECONDS:
                self._delay = FIRST_RESTART_SECONDS
            log.warning("%s %s; starting it again in %g s", self.service.name, failure, self._delay)
            self._restart_at = now + self._delay
            self._delay = min(2 * self._delay, LAST_RESTART_SECONDS)

    def stop(self, deadline: float) -> None:
        """Ask it to end; at `deadline` (monotonic seconds) kill it, and then whatever is left of its own."""
        if self._restart_at is not None:
            return  # it is dead already
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(max(deadline - time.monotonic(), LAST_GRACE_SECONDS))
            except subprocess.TimeoutExpired:
                log.warning("%s did not stop in time and is killed", self.service.name)
        self._kill_group()
        self._process.wait()

    def _kill_group(self) -> None:
        """Leave none of its children behind: one that still listens would keep the next start from its port."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)


def tail(log_file: Path | None) -> str:
    """The last lines of a log, each indented on a line of its own; empty without a log."""
    lines = log_file.read_text(errors="replace").splitlines()[-TAIL_LINES:] if log_file and log_file.exists() else []
    return "".join(f"\n  {line}" for line in lines)
