"""A real S3 server for tests: rclone, installed by pip, stores objects as files in a folder and checks keys."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from imgproc.embedded.ports import LOOPBACK, S3_PORTS, free_port, listens
from imgproc.embedded.servers import s3_service
from imgproc.embedded.supervisor import Service, spawn
from imgproc.pipeline.storage.store import Store

ACCESS_KEY = "test-access-key"
SECRET = "test-secret-key"


class S3Server(NamedTuple):
    """Where the server listens, the one pair of keys it accepts, and its process."""

    endpoint: str
    access_key: str
    secret: str
    process: subprocess.Popen[bytes]

    @property
    def environ(self) -> dict[str, str]:
        """The settings that lead to it."""
        return {
            "S3_ENDPOINT_URL": self.endpoint,
            "S3_ACCESS_KEY_ID": self.access_key,
            "S3_SECRET_ACCESS_KEY": self.secret,
        }


def object_store_service(folder: Path, address: str) -> tuple[Service, str]:
    """The service, on a free port of `address`, and its URL."""
    port = free_port(S3_PORTS)
    log_file = folder.parent / "s3.log"
    service = s3_service(folder, port=port, key_id=ACCESS_KEY, secret=SECRET, log_file=log_file)
    command = [part.replace(LOOPBACK, address) for part in service.command]
    service = replace(service, command=command, ready=lambda: listens(port, address))
    return service, f"http://{address}:{port}"


def start_s3_server(folder: Path, *, port: int | None = None) -> S3Server:
    """Start a server over `folder` and wait until it listens; it dies with the thread that started it.

    Pass the `port` of a stopped server to restart it at the same address.
    """
    port = port or _free_port()
    log_file = folder.parent / f"{folder.name}.s3.log"
    service = s3_service(folder, port=port, key_id=ACCESS_KEY, secret=SECRET, log_file=log_file)
    process = spawn(service)
    while not service.ready():
        if process.poll() is not None:
            raise RuntimeError(f"The S3 server ended with status {process.returncode}: {log_file.read_text()}")
        time.sleep(0.02)
    return S3Server(f"http://{LOOPBACK}:{port}", ACCESS_KEY, SECRET, process)


def stop_s3_server(server: S3Server) -> None:
    """Kill the server, as an outage would, and wait for its end."""
    server.process.kill()
    server.process.wait()


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server over `folder` while the block runs."""
    server = start_s3_server(folder)
    try:
        yield server
    finally:
        stop_s3_server(server)


def create_buckets(store: Store) -> None:
    """Create the buckets of a store that are missing; imgproc itself expects them to exist."""
    s3 = store._s3()
    for bucket in (store._originals, store._outputs):
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
            s3.create_bucket(Bucket=bucket)


class ObjectStore:
    """The S3 server, which can be stopped for a while, and the folder of its objects, with one folder per bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = start_s3_server(folder)

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


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])
