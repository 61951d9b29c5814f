"""The stack: `imgproc up` in a process of its own, which is forked."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from imgproc.core.config import UNSET_SETTINGS, Settings, load_settings
from imgproc.embedded.ports import DEMO_PORTS, free_port, is_ready
from tests.support import preloaded
from tests.support.processes import wait_until

ROOT = Path(__file__).parent.parent.parent
ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}


@dataclass(frozen=True)
class Stack:
    """A running stack: its URL, its settings, and its process."""

    url: str
    environ: dict[str, str]
    process: psutil.Process

    def settings(self) -> Settings:
        """The settings of the running stack, generated secrets included."""
        return load_settings(self.environ)

    def children(self, *words: str) -> list[psutil.Process]:
        """The processes below the stack whose command line holds every one of `words`."""
        return [child for child in self.process.children(recursive=True) if _says(child, words)]

    def submit(self, csv: str | bytes, **options: str) -> dict[str, Any]:
        """Upload a CSV; the body of the 202."""
        response = requests.post(
            f"{self.url}/api/upload", files={"file": ("products.csv", csv)}, data=options, timeout=60
        )
        assert response.status_code == 202, response.text
        accepted: dict[str, Any] = response.json()
        return accepted

    def status(self, request_id: str) -> dict[str, Any]:
        """The request's status now."""
        status: dict[str, Any] = requests.get(f"{self.url}/api/status/{request_id}", timeout=30).json()
        return status

    def wait(self, request_id: str, *, seconds: float = 180) -> dict[str, Any]:
        """The status once the request has ended."""
        wait_until(lambda: self.status(request_id)["status"] in ENDED, seconds=seconds, pause=0.2)
        return self.status(request_id)

    def products(self, request_id: str) -> list[dict[str, Any]]:
        """Every product, page by page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = requests.get(f"{self.url}/api/requests/{request_id}/products", params=cursor, timeout=30).json()
            items += page["items"]
            if page["nextCursor"] is None:
                return items
            cursor = {"cursor": page["nextCursor"]}


def _says(process: psutil.Process, words: tuple[str, ...]) -> bool:
    """Whether the command line holds every one of `words`; False for a process that has just ended."""
    try:
        command = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    return all(word in command for word in words)


@contextmanager
def running_stack(folder: Path, *, up: str = "imgproc", **environ: str) -> Iterator[Stack]:
    """Start a stack on `folder` by the command `up` of a module, and stop it as Ctrl-C would."""
    given = UNSET_SETTINGS | {
        "DATA_DIR": str(folder),
        "PORT": str(free_port(DEMO_PORTS)),
        "ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        "WORKERS": "2",
        "WORKER_PROCESSES": "1",
        **environ,
    }
    url = f"http://127.0.0.1:{given['PORT']}"
    log = (folder.parent / f"{folder.name}.log").open("wb")
    process = preloaded.start(["-m", up, "up"], environ={**os.environ, **given}, output=log)
    try:
        wait_until(lambda: is_ready(url) or process.poll() is not None, seconds=120, pause=0.2)
        assert process.poll() is None, Path(log.name).read_text()
        yield Stack(url, given, psutil.Process(process.pid))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        log.close()
