"""A process of the cluster. It is started again when it dies, as by a process manager, unless a fault keeps it down."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from imgproc.embedded.supervisor import Service, ServiceFailed, spawn, tail
from tests.support import preloaded
from tests.support.preloaded import PreloadedProcess

READY_SECONDS = 60.0
POLL_SECONDS = 0.02
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class PythonService(Service):
    """A service whose `command` are the arguments of `python`; it runs in this network namespace."""

    network: Path | None = None


def _start(service: Service) -> subprocess.Popen[bytes] | PreloadedProcess:
    if not isinstance(service, PythonService):
        return spawn(service)
    assert service.log_file is not None
    environ = {**os.environ, **service.environ}
    with service.log_file.open("ab") as log:
        return preloaded.start(service.command, environ=environ, output=log, network=service.network)


class ManagedProcess:
    """One process; each start calls `service` for the command.

    `spawner` runs every start in one thread that outlives all children: the kernel kills them when that thread ends.
    Each fault takes `lock`, so that faults of the same process come one after the other.
    """

    def __init__(self, service: Callable[[], Service], *, spawner: Executor) -> None:
        self.lock = threading.RLock()
        self.ended: Counter[str] = Counter()  # its exit statuses where no fault ended it
        self._service = service
        self._spawner = spawner
        self._process: subprocess.Popen[bytes] | PreloadedProcess | None = None

    @property
    def name(self) -> str:
        """The name of the service."""
        return self._service().name

    def start(self) -> None:
        """Start the process, and wait until it is ready.

        Raises:
            ServiceFailed: it ended instead, or did not become ready.
        """
        with self.lock:
            service = self._service()
            self._process = self._spawner.submit(_start, service).result()
            deadline = time.monotonic() + READY_SECONDS
            while not service.ready():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise ServiceFailed(f"{service.name} did not become ready{tail(service.log_file)}")
                time.sleep(POLL_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Signal the process, but none of its children."""
        with self.lock:
            if self._process is not None:
                self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the process and wait for its end; then kill its remaining children."""
        with self.lock:
            if self._process is None:
                return
            self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @contextmanager
    def down(self, number: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Keep the process down while the block runs."""
        with self.lock:
            self.end(number)
            yield
            self.start()

    def children(self) -> list[psutil.Process]:
        """The direct children of the process."""
        with self.lock, suppress(psutil.NoSuchProcess):
            if self._process is not None:
                children: list[psutil.Process] = psutil.Process(self._process.pid).children()
                return children
        return []

    def restart_if_ended(self) -> None:
        """Start the process again if it has ended, unless a fault keeps it down."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            if self._process is not None and self._process.poll() is not None:
                self.ended[f"status {self._process.returncode}"] += 1
                self.end()
                self.start()
        finally:
            self.lock.release()
