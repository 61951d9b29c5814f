"""Ports on this machine: which are free, and which are served."""

from __future__ import annotations

import http.client
import random
import socket
from urllib.parse import urlsplit

from imgproc.core.config import Settings
from imgproc.core.hosts import bracketed

LOOPBACK = "127.0.0.1"
# Below the ephemeral ports, so that no outgoing connection of this machine takes a port that a stack uses again.
REDIS_PORTS = range(20_000, 24_000)
S3_PORTS = range(24_000, 28_000)
DEMO_PORTS = range(28_000, 32_000)


class EmbeddedError(Exception):
    """The embedded stack cannot start here; the message is one line with the remedy."""


def require_free_port(host: str, port: int) -> None:
    """Raise EmbeddedError, with the remedy, where we cannot listen on `host` and `port`."""
    try:
        _listen_once(host, port)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # newer Pythons repeat the address
        raise EmbeddedError(
            f"Cannot listen on {host}:{port} ({reason}): choose another port, such as PORT={port + 1}."
        ) from error


def free_port(ports: range, preferred: int | None = None) -> int:
    """`preferred` if it is free, else a random one of `ports`, so that stacks that start together choose differently.

    Raises:
        EmbeddedError: none is free.
    """
    candidates = random.SystemRandom().sample(ports, 100)
    for port in [preferred, *candidates] if preferred else candidates:
        try:
            _listen_once(LOOPBACK, port)
        except OSError:
            continue
        return port
    raise EmbeddedError(f"No port of {LOOPBACK} between {ports.start} and {ports.stop} is free: stop some servers.")


def listens(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server accepts connections on `port` of `host`."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def local_url(settings: Settings) -> str:
    """The address of the web process for a browser on this machine."""
    host = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(settings.host)  # noqa: S104 - compared, not bound
    return f"http://{host or bracketed(settings.host)}:{settings.port}"


def is_ready(url: str) -> bool:
    """Whether the web process at `url` answers and reaches every service it needs."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listen_once(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()
