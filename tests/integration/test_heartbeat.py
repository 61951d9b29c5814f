"""The file by which health checks see that a pool or a sweeper is at work."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from structlog.testing import capture_logs

from imgproc.core import heartbeat
from imgproc.core.config import load_settings
from imgproc.journey import jobs
from imgproc.journey.services import services
from imgproc.worker import sweeper
from imgproc.worker.pool import Pool
from tests.support.processes import wait_until


@pytest.fixture
def file(app: Flask, tmp_path: Path) -> Path:
    """The file that the settings of `app` name."""
    found = services()
    file = tmp_path / "alive"
    app.extensions["services"] = replace(found, settings=replace(found.settings, heartbeat_file=file))
    return file


def test_a_pool_touches_the_file_in_every_round(app: Flask, file: Path) -> None:
    """Also in rounds that start no worker, as while a server is away."""
    pool = Pool(app, jobs=jobs, settings=services().settings)
    for _ in range(2):
        file.unlink(missing_ok=True)
        pool.check_workers(respawn=False)
        assert file.exists()


def test_a_sweeper_touches_the_file(app: Flask, file: Path) -> None:
    """A loop of the sweeper does, a single pass does not."""
    sweeper.sweep()
    assert not file.exists()
    stop = threading.Event()
    thread = threading.Thread(target=sweeper.run_forever, args=(app, stop))
    thread.start()
    try:
        wait_until(file.exists)
    finally:
        stop.set()
        thread.join()


def test_a_disk_that_refuses_stops_no_round(tmp_path: Path) -> None:
    """It is a line in the log, and the check of the container fails."""
    with capture_logs() as logs:
        heartbeat.beat(tmp_path / "no folder" / "alive")
    assert [line["event"] for line in logs] == ["heartbeat_failed"]


def test_no_file_is_touched_unless_one_is_named() -> None:
    """The default of the setting is none, and a name becomes a path."""
    heartbeat.beat(None)
    assert load_settings({}).heartbeat_file is None
    assert load_settings({"HEARTBEAT_FILE": "/dev/shm/alive"}).heartbeat_file == Path("/dev/shm/alive")
