"""The connection to Redis, bound to the app in `init_app`. Nothing connects on import."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from imgproc.core.config import Settings
from imgproc.core.keepalive import KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, UNACKNOWLEDGED

DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"


def init_app(app: Flask, settings: Settings) -> None:
    """Give `app` its client. Its deadlines are short: where Redis hangs, an upload is answered all the same."""
    app.extensions["redis"] = connect_redis(settings.redis_url or DEFAULT_REDIS_URL, timeout=2, retries=1)


def connect_redis(url: str, *, timeout: float = 10, retries: int = 3) -> Redis:
    """A client with short deadlines, in seconds, and few retries; connects on first use."""
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=retries)
    return Redis.from_url(
        url,
        socket_connect_timeout=min(timeout, 3),
        socket_timeout=timeout,
        health_check_interval=30,
        retry=retry,
        **_keepalives(url),
    )


def redis_client() -> Redis:
    """The app's Redis client."""
    client: Redis = current_app.extensions["redis"]
    return client


def _keepalives(url: str) -> dict[str, Any]:
    """The keepalives of a client; none for a Unix socket, which no network cuts."""
    if urlsplit(url).scheme == "unix":
        return {}
    options = {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE,
        "TCP_KEEPINTVL": KEEPALIVE_INTERVAL,
        "TCP_KEEPCNT": KEEPALIVE_COUNT,
        "TCP_USER_TIMEOUT": UNACKNOWLEDGED * 1000,  # milliseconds; Linux alone
    }
    known = {getattr(socket, name): value for name, value in options.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": known}
