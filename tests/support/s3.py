"""A real S3 server for tests: rclone from pip, its objects as files in a folder, its keys enforced."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from imgproc.embedded.servers import s3_service
from imgproc.embedded.supervisor import spawn

ACCESS_KEY = "test-access-key"
SECRET = "test-secret-key"


class S3Server(NamedTuple):
    """Where the server listens, the one pair of keys it accepts, and its process."""

    endpoint: str
    access_key: str
    secret: str
    process: subprocess.Popen[bytes]


def start_s3_server(folder: Path, *, port: int | None = None) -> S3Server:
    """Start a server over `folder` and wait until it listens; it dies with the thread that started it.

    Pass the `port` of a server that was stopped to have it back in the same place.
    """
    port = port or _free_port()
    log_file = folder.parent / f"{folder.name}.s3.log"
    service = s3_service(folder, port=port, key_id=ACCESS_KEY, secret=SECRET, log_file=log_file)
    process = spawn(service)
    while not service.ready():
        if process.poll() is not None:
            raise RuntimeError(f"The S3 server ended with status {process.returncode}: {log_file.read_text()}")
        time.sleep(0.02)
    return S3Server(f"http://127.0.0.1:{port}", ACCESS_KEY, SECRET, process)


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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
