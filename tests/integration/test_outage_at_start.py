"""Worker pool and sweeper, started while Redis or PostgreSQL is down: they retry, log little, and can be stopped."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import flask_migrate
import psutil
import pytest
import redis

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.embedded.ports import REDIS_PORTS, free_port
from tests.integration.test_cli import environment
from tests.support import preloaded
from tests.support.hosts.dead_addresses import refusing_port
from tests.support.processes import wait_until
from tests.support.valkey_server import valkey

POOL = ["rq_worker.py"]
WORKERS = 2 + 1  # as set below, and that of the deliveries
SWEEPER = ["-m", "imgproc", "sweep", "--loop"]
# What each runs, the event that it logs, and after how many of them pauses have grown: the sweeper has three loops.
PROCESSES = {"pool": (POOL, "workers_delayed", 5), "sweeper": (SWEEPER, "sweep_delayed", 7)}
CLOSED = {
    "redis": {"REDIS_URL": "redis://127.0.0.1:{port}/0"},
    "postgresql": {"DATABASE_URL": "postgresql://postgres@127.0.0.1:{port}/postgres"},
}


class Process:
    """A process under test and its log."""

    def __init__(self, arguments: list[str], environ: dict[str, str], log: Path) -> None:
        with log.open("wb") as file:
            self._process = preloaded.start(arguments, environ=environ, output=file)
        self._log = log

    @property
    def log(self) -> str:
        """Everything the process has written."""
        return self._log.read_text()

    def lines(self, event: str) -> list[str]:
        """The log lines of one event."""
        return [line for line in self.log.splitlines() if event in line]

    @property
    def children(self) -> int:
        """How many processes it has started that run."""
        return len(psutil.Process(self._process.pid).children())

    def stop(self) -> int:
        """Send SIGTERM; the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def kill(self) -> None:
        """Send SIGKILL and wait."""
        self._process.kill()
        self._process.wait()


@contextmanager
def started(arguments: list[str], folder: Path, **settings: str) -> Iterator[Process]:
    """Start a process, on a migrated SQLite database unless `settings` names another."""
    environ = environment(folder, **{"WORKERS": "2", "WORKER_PROCESSES": "2", "SWEEP_INTERVAL": "0.2"} | settings)
    if "DATABASE_URL" not in settings:
        with create_app(load_settings(environ)).app_context():
            flask_migrate.upgrade()
    process = Process(arguments, environ, folder.with_suffix(".log"))
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey for the processes whose database is down."""
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="module", autouse=True)
def delayed(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[dict[tuple[str, str], Process]]:
    """A process of each kind for each server that is away; their pauses grow while the other tests run."""
    with ExitStack() as stack:
        processes = {}
        for name, away in product(PROCESSES, CLOSED):
            closed = {key: url.format(port=stack.enter_context(refusing_port())) for key, url in CLOSED[away].items()}
            folder = tmp_path_factory.mktemp("delayed") / "data"
            process = started(PROCESSES[name][0], folder, **{"REDIS_URL": redis_url} | closed)
            processes[name, away] = stack.enter_context(process)
        yield processes


@pytest.mark.parametrize("started_workers", [1, 3, 5])
def test_a_pool_that_is_stopped_while_it_starts_ends_every_worker(
    tmp_path: Path, redis_url: str, started_workers: int
) -> None:
    """Also the one whose process is just being made."""
    with started(POOL, tmp_path / "data", REDIS_URL=redis_url, WORKERS="16", WORKER_PROCESSES="16") as process:
        wait_until(lambda: process.children >= started_workers, pause=0)
        assert process.stop() == 0


def test_the_pool_starts_when_redis_comes_up(tmp_path: Path) -> None:
    """The pool starts its workers without a restart of its own."""
    port = free_port(REDIS_PORTS)
    with started(POOL, tmp_path / "data", REDIS_URL=f"redis://127.0.0.1:{port}/0") as process:
        wait_until(lambda: bool(process.lines("workers_delayed")))
        with valkey(tmp_path, port=port) as url, redis.Redis.from_url(url) as client:
            wait_until(lambda: client.scard("rq:workers") == WORKERS)
            assert process.stop() == 0
    assert "Traceback" not in process.log


def test_the_sweeper_starts_when_redis_comes_up(tmp_path: Path) -> None:
    """The sweeper runs a pass, which writes its marker key to Redis."""
    port = free_port(REDIS_PORTS)
    with started(SWEEPER, tmp_path / "data", REDIS_URL=f"redis://127.0.0.1:{port}/0") as process:
        wait_until(lambda: bool(process.lines("sweep_delayed")))
        with valkey(tmp_path, port=port) as url, redis.Redis.from_url(url) as client:
            wait_until(lambda: bool(client.exists("imgproc:running")))
            assert process.stop() == 0
    assert "Traceback" not in process.log


def test_running_workers_survive_an_outage_of_redis(tmp_path: Path) -> None:
    """The workers neither die nor log tracebacks, and take jobs again afterwards."""
    port = free_port(REDIS_PORTS)
    (tmp_path / "first").mkdir()
    with started(POOL, tmp_path / "data", REDIS_URL=f"redis://127.0.0.1:{port}/0") as process:
        with valkey(tmp_path / "first", port=port) as url, redis.Redis.from_url(url) as client:
            wait_until(lambda: client.scard("rq:workers") == WORKERS)
        wait_until(lambda: "could not connect" in process.log)
        with valkey(tmp_path, port=port) as url, redis.Redis.from_url(url) as client:
            client.rpush("rq:queue:express", "no-job")
            wait_until(lambda: client.llen("rq:queue:express") == 0)
            assert process.stop() == 0
    assert "Traceback" not in process.log
    assert "worker_died" not in process.log


@pytest.mark.parametrize("away", CLOSED)
@pytest.mark.parametrize("name", PROCESSES)
def test_logs_one_line_per_attempt_with_growing_pauses(
    delayed: dict[tuple[str, str], Process], name: str, away: str
) -> None:
    """Each failed attempt logs one line without a traceback, and SIGTERM ends the process in between."""
    (_, event, enough), process = PROCESSES[name], delayed[name, away]
    wait_until(lambda: len(process.lines(event)) >= enough, seconds=120)
    asked = time.monotonic()
    status = process.stop()
    assert time.monotonic() - asked < 10  # RQ's loop looks once a second
    assert status == 0
    pauses = [float(re.findall(r"retry_in=([\d.]+)", line)[0]) for line in process.lines(event)]
    assert "Traceback" not in process.log
    assert max(pauses) > min(pauses)
    assert [line for line in process.log.splitlines() if "[info " not in line] == process.lines(event)
