"""The last release and this version work side by side on the tables of this version, as they do during an upgrade."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import flask_migrate
import psutil
import pytest
import requests

from imgproc.app import create_app
from imgproc.core.config import UNSET_SETTINGS, load_settings
from imgproc.db.engine import db
from imgproc.demo.catalogue import PICTURES, catalogue_csv
from imgproc.demo.site import Site, serve_site
from imgproc.embedded.ports import DEMO_PORTS, free_port, is_ready
from imgproc.journey.services import services
from imgproc.pipeline.notify import generate_secret
from tests.support import preloaded
from tests.support.postgresql import postgresql
from tests.support.preloaded import PreloadedProcess
from tests.support.processes import wait_until
from tests.support.s3 import create_buckets, s3_server
from tests.support.stack import ENDED, ROOT
from tests.support.valkey_server import valkey

VERSION, COMMIT = "0.2.0", "9ca22bfd"
FILES = 2  # that each web process accepts
HAS_HISTORY = subprocess.run(
    ["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"], cwd=ROOT, check=False, capture_output=True
)

pytestmark = pytest.mark.skipif(
    HAS_HISTORY.returncode != 0, reason=f"the history does not reach back to {VERSION} (git fetch --unshallow)"
)


class Version:
    """The processes of one version: a web process, a pool of workers and a sweeper."""

    def __init__(self, code: Path, environ: dict[str, str], log_file: Path) -> None:
        self.code, self.environ, self.log_file = code, environ, log_file
        self.url = f"http://127.0.0.1:{environ['PORT']}"
        self.processes: list[subprocess.Popen[bytes] | PreloadedProcess] = []

    def start(self) -> None:
        """Start the processes, and wait until the web process answers."""
        for command in (["-m", "gunicorn", "wsgi:app"], ["rq_worker.py"], ["-m", "imgproc", "sweep", "--loop"]):
            with self.log_file.open("ab") as log:
                self.processes.append(self._started(command, log))
        wait_until(lambda: is_ready(self.url), seconds=120)

    def _started(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes] | PreloadedProcess:
        if self.code == ROOT:
            return preloaded.start(command, environ=self.environ, output=log)
        return subprocess.Popen([sys.executable, *command], cwd=self.code, env=self.environ, stdout=log, stderr=log)

    def stop(self) -> None:
        """Ask all processes to stop, as an upgrade does, and wait."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(60)
        self.processes.clear()

    def upload(self, site: Site) -> str:
        """Upload a catalogue; the id of its request."""
        form = {"webhookUrl": f"{site.url}/webhook"}
        file = {"file": ("products.csv", catalogue_csv(f"{site.url}/pictures"))}
        answer = requests.post(f"{self.url}/api/upload", files=file, data=form, timeout=60)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["requestId"])

    def status(self, request_id: str) -> dict[str, Any]:
        """The status of a request, whichever version accepted it."""
        answer: dict[str, Any] = requests.get(f"{self.url}/api/status/{request_id}", timeout=60).json()
        return answer

    def wait_for(self, request_ids: list[str]) -> None:
        """Wait until the requests have ended, each with all of its images."""
        wait_until(lambda: all(self.status(each)["status"] in ENDED for each in request_ids), seconds=240, pause=0.5)
        for each in request_ids:
            found = self.status(each)
            ended = found["status"], found["progress"]["images"]["failed"]
            assert ended == ("completed", 0), self.log_file.read_text()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of both versions: PostgreSQL with the tables of this version, Valkey and an object store."""
    objects = tmp_path / "objects"
    objects.mkdir()
    with ExitStack() as stack:
        url = stack.enter_context(postgresql())
        redis_url = stack.enter_context(valkey(tmp_path))
        store = stack.enter_context(s3_server(objects))
        ours = {
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            **store.environ,
            "ALLOWED_NETWORKS": "127.0.0.0/8",
            "WEBHOOK_SECRET": generate_secret(),
            "WORKERS": "2",
            "DATA_DIR": str(tmp_path / "data"),
        }
        with create_app(load_settings(ours)).app_context():
            flask_migrate.upgrade()
            create_buckets(services().store)
            db.engine.dispose()
        yield os.environ | UNSET_SETTINGS | ours


@contextmanager
def version(code: Path, servers: dict[str, str], folder: Path) -> Iterator[Version]:
    """The processes of the version at `code`, to start; they end with the block."""
    folder.mkdir()
    environ = servers | {"PORT": str(free_port(DEMO_PORTS)), "DATA_DIR": str(folder / "data")}
    made = Version(code, environ, folder / "log")
    try:
        yield made
    finally:
        for process in made.processes:
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.kill()
            process.wait()


def test_the_last_release_works_beside_this_version(servers: dict[str, str], tmp_path: Path) -> None:
    """It works alone on the new tables, beside the new processes, and gives its work back when it is stopped."""
    code = tmp_path / "release"
    code.mkdir()
    archive = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "--extract", "--directory", str(code)], input=archive, check=True)
    with (
        serve_site(PICTURES) as site,
        version(code, servers, tmp_path / "old") as old,
        version(ROOT, servers, tmp_path / "new") as new,
    ):
        old.start()
        first = [old.upload(site)]
        old.wait_for(first)
        new.start()
        new.wait_for(first)
        both = [each.upload(site) for _ in range(FILES) for each in (old, new)]
        old.wait_for(both)
        last = [each.upload(site) for _ in range(FILES) for each in (old, new)]
        old.stop()
        new.wait_for(last)
        everything = first + both + last
        announced = [site.announcements.get(timeout=60) for _ in everything]
    assert len({each.headers["webhook-id"] for each in announced}) == len(everything)
    for each in (old, new):
        assert "Traceback" not in each.log_file.read_text()
