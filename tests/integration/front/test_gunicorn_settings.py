"""gunicorn started by hand obeys HOST, PORT and WEB_THREADS, as it does under `imgproc up`."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from imgproc.core.config import UNSET_SETTINGS
from imgproc.embedded.ports import DEMO_PORTS, free_port, listens
from tests.support import preloaded
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[3]
SETTINGS = "python:imgproc.server.gunicorn_settings"


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        pytest.param(["wsgi:app"], ROOT, id="wsgi:app in a checkout"),
        pytest.param(["imgproc.app:create_app()"], ROOT, id="the factory in a checkout"),
        pytest.param(["--config", SETTINGS, "imgproc.app:create_app()"], None, id="the factory elsewhere"),
    ],
)
def test_obeys_the_settings(tmp_path: Path, arguments: list[str], folder: Path | None) -> None:
    """It listens only on that address, with that many threads."""
    port = free_port(DEMO_PORTS)
    environ = os.environ | UNSET_SETTINGS | {"DATA_DIR": str(tmp_path)}
    environ |= {"HOST": "127.0.0.1", "PORT": str(port), "WEB_THREADS": "3", "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("wb") as log:
        command = ["-m", "gunicorn", *arguments]
        process = preloaded.start(command, environ=environ, output=log, folder=folder or tmp_path)
    try:
        wait_until(lambda: process.poll() is not None or _threads_of_worker(process.pid) >= 4)
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert listens(port)
        [listening] = {each.laddr for each in psutil.Process(process.pid).net_connections() if each.status == "LISTEN"}
        assert listening == ("127.0.0.1", port)
        assert _threads_of_worker(process.pid) == 4  # three, and the one that talks to clients
    finally:
        process.terminate()
        process.wait()


def _threads_of_worker(pid: int) -> int:
    return max((child.num_threads() for child in psutil.Process(pid).children()), default=0)
