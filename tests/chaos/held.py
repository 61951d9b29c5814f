"""A process of the house: started again when it dies, as by a process manager, unless a fault holds it down."""

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

import psutil

from imgproc.embedded.supervisor import Service, ServiceFailed, spawn, tail

READY_SECONDS = 60.0
POLL_SECONDS = 0.02
STOP_SECONDS = 20.0


class Held:
    """One process, made from what `service` says at each start.

    `spawner` runs every start in one thread that outlives all children: the kernel kills them when that thread ends.
    Whoever holds `lock` is alone with the process: faults upon the same one come one after the other.
    """

    def __init__(self, service: Callable[[], Service], *, spawner: Executor) -> None:
        self.lock = threading.RLock()
        self.ended: Counter[str] = Counter()  # how it ended when nobody asked it to
        self._service = service
        self._spawner = spawner
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self._service().name

    def start(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            ServiceFailed: it ended instead, or did not become ready.
        """
        with self.lock:
            service = self._service()
            self._process = self._spawner.submit(spawn, service).result()
            deadline = time.monotonic() + READY_SECONDS
            while not service.ready():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise ServiceFailed(f"{service.name} did not become ready{tail(service.log_file)}")
                time.sleep(POLL_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Signal the process alone, none of its children."""
        with self.lock:
            if self._process is not None:
                self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the process and wait for its end; what is left of its children is killed."""
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
    def away(self, number: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """It is ended while the block runs, and started again after it."""
        with self.lock:
            self.end(number)
            yield
            self.start()

    def children(self) -> list[psutil.Process]:
        """The processes right below it."""
        with self.lock, suppress(psutil.NoSuchProcess):
            if self._process is not None:
                children: list[psutil.Process] = psutil.Process(self._process.pid).children()
                return children
        return []

    def tend(self) -> None:
        """Start it again if it has ended by itself; a fault that holds it down sees to that itself."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            if self._process is not None and self._process.poll() is not None:
                self.ended[f"status {self._process.returncode}"] += 1
                self.end()
                self.start()
        finally:
            self.lock.release()
