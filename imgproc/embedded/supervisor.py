"""Starts child processes, restarts those that die, and stops all of them when this process ends.

On Linux the kernel kills every child when this process ends (`PR_SET_PDEATHSIG`, prctl(2)), even by SIGKILL. Elsewhere
the children outlive a SIGKILL.
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
from imgproc.embedded.forked import ForkedProcess

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
FIRST_RESTART_SECONDS = 0.5
LAST_RESTART_SECONDS = 30.0
STABLE_SECONDS = 60.0  # after this long, the delay of the next restart is the first one again
LAST_GRACE_SECONDS = 2.0  # seconds that each phase of a stop gets, even after its deadline
TAIL_LINES = 15
FORKS = sys.platform == "linux"  # elsewhere a fork may crash: libraries of macOS need an exec after it

# Runs in an interpreter of its own before the command, as code in the forked child itself (`preexec_fn`) may deadlock
# where threads run. It ends at once if the parent died before the kernel was told to kill us with it.
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
    """A process to keep alive.

    Its output goes to `log_file`, or to ours. `ready` tells whether it serves yet. One that `stops_last` serves other
    services, and stops after them. `forked` runs the module of a `python -m` command in a fork of this process, which
    needs no second interpreter; set it where this process has one thread. With `main` the fork calls that function
    instead, which does the work of the command with objects of this process.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    log_file: Path | None = None
    ready: Callable[[], bool] = lambda: True
    ready_timeout: float = 60.0
    stops_last: bool = False
    forked: bool = False
    main: Callable[[], object] | None = None


def spawn(service: Service) -> subprocess.Popen[bytes]:
    """Start the process of `service` in a session of its own; the kernel kills it when this process dies.

    Call it from a thread that lives as long as the child: the kernel watches the thread, not the process.
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
            start_new_session=True,  # so that Ctrl-C reaches this process alone, which then stops its children
        )


def _fork(service: Service) -> ForkedProcess:
    _python, _m, *module = service.command
    return ForkedProcess(
        module, environ=service.environ, folder=service.folder, log_file=service.log_file, main=service.main
    )


class Supervisor:
    """Starts services in order, restarts the dead until `stop` is set, and stops all of them.

    Use it as a context manager, in a thread that outlives it. Leaving it stops every child: first all services
    together, then all that stop last. Children that have not ended after `stop_timeout` seconds are killed.
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
        for last in (False, True):
            _stop_together([child for child in self._children if child.service.stops_last == last], deadline)
        self._children.clear()

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
        _stop_together([self._children.pop()], time.monotonic())
        raise ServiceFailed(f"{service.name} {failure or 'was not ready in time'}{tail(service.log_file)}")

    def run(self) -> None:
        """Restart what dies, with a growing delay, until `stop` is set."""
        while not self._stop.wait(POLL_SECONDS):
            for child in self._children:
                child.tend()


class _Child:
    """One running service and its restarts."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._delay = FIRST_RESTART_SECONDS
        self._restart_at: float | None = None
        self._start()

    def _start(self) -> None:
        self._process: subprocess.Popen[bytes] | ForkedProcess
        self._process = _fork(self.service) if self.service.forked and FORKS else spawn(self.service)
        self._started_at = time.monotonic()
        self._restart_at = None

    def failure(self) -> str | None:
        """How the process ended, as text; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def tend(self) -> None:
        """Notice that the process has ended, or start it again once the delay is over."""
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

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait until the process has ended; at `deadline` (monotonic seconds) kill it and its own children."""
        if self._restart_at is not None:
            return  # it has ended already
        try:
            self._process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time and is killed", self.service.name)
        self._kill_group()
        self._process.wait()

    def _kill_group(self) -> None:
        """Kill the children that the process left: one that still listens would block the port for the next start."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)


def _stop_together(children: Sequence[_Child], deadline: float) -> None:
    """Ask all children to end, the last started one first; then wait for each."""
    deadline = max(deadline, time.monotonic() + LAST_GRACE_SECONDS)
    for child in reversed(children):
        child.terminate()
    for child in reversed(children):
        child.wait(deadline)


def tail(log_file: Path | None) -> str:
    """The last lines of a log, each indented on a line of its own; empty without a log."""
    lines = log_file.read_text(errors="replace").splitlines()[-TAIL_LINES:] if log_file and log_file.exists() else []
    return "".join(f"\n  {line}" for line in lines)
