"""The connection to Redis, bound to the app in `init_app`. Importing this connects to nothing."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app
from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.retry import Retry

from imgproc.core.config import Settings
from imgproc.core.errors import QueueUnavailable
from imgproc.core.keepalive import KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, UNACKNOWLEDGED

NO_WRITES = re.compile(r"\b(OOM|MISCONF|READONLY|NOREPLICAS)\b")  # in errors of commands, and of those of scripts
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
# The name and version that a client tells the server. Without this each connection would read them from the files of
# the installed package, which takes 2 ms and, in a forked process, 2 MB.
DRIVER = DriverInfo()
PATIENCE = 2.0  # seconds that Redis may take to answer a web process, so that an upload is answered although it hangs


def init_app(app: Flask, settings: Settings) -> None:
    """Give `app` its client, whose deadlines are short."""
    app.extensions["redis"] = connect_redis(redis_url(settings), timeout=PATIENCE, retries=1)


def redis_url(settings: Settings) -> str:
    """The address of Redis: as set, else the default port of this machine."""
    return settings.redis_url or DEFAULT_REDIS_URL


def connect_redis(url: str, *, timeout: float = 10, retries: int = 3) -> Redis:
    """A client with short deadlines, in seconds, and few retries. It connects when it is first used."""
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=retries)
    return Redis.from_url(
        url,
        socket_connect_timeout=min(timeout, 3),
        socket_timeout=timeout,
        health_check_interval=30,
        retry=retry,
        driver_info=DRIVER,
        **_keepalives(url),
    )


def impatient_options(timeout: float) -> dict[str, Any]:
    """Options for a Redis client that a library creates: give up after `timeout` seconds, with one immediate retry."""
    return {
        "socket_connect_timeout": timeout,
        "socket_timeout": timeout,
        "retry": Retry(NoBackoff(), 1),
        "driver_info": DRIVER,
    }


def redis_client() -> Redis:
    """The app's Redis client."""
    client: Redis = current_app.extensions["redis"]
    return client


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn every error of Redis in the body into one of ours.

    Raises:
        QueueUnavailable: Redis is away, or refuses a command.
    """
    try:
        yield
    except RedisError as error:
        raise QueueUnavailable("The queue cannot be reached.") from error


def takes_no_writes(error: RedisError) -> bool:
    """Whether Redis refuses every write: its memory or disk is full, it is a replica, or it has too few replicas."""
    return isinstance(error, OutOfMemoryError | ReadOnlyError) or NO_WRITES.search(str(error)) is not None


def ping(client: Redis | None = None) -> None:
    """Ask whether Redis answers; `client` is the app's where none is given.

    Raises:
        QueueUnavailable: it does not.
    """
    with redis_errors():
        (client or redis_client()).ping()


def _keepalives(url: str) -> dict[str, Any]:
    """The keepalive options of a client; none for a Unix socket, which no network can cut."""
    if urlsplit(url).scheme == "unix":
        return {}
    options = {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE,
        "TCP_KEEPINTVL": KEEPALIVE_INTERVAL,
        "TCP_KEEPCNT": KEEPALIVE_COUNT,
        "TCP_USER_TIMEOUT": UNACKNOWLEDGED * 1000,  # milliseconds; Linux only
    }
    known = {getattr(socket, name): value for name, value in options.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": known}
