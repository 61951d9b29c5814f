"""Asks Redis and the database whether they answer, before the pool starts workers that would die without them."""

from __future__ import annotations

import time

import sqlalchemy as sa
import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import InfrastructureError
from imgproc.db.engine import db
from imgproc.journey.outage import describe, start_pauses
from imgproc.journey.warm_up import warm_up
from imgproc.queue.connection import connect_redis, ping

REDIS_PATIENCE = 2.0  # seconds that Redis may take to answer

log = structlog.get_logger(__name__)


class Readiness:
    """Remembers when to ask next: the pauses grow while a server is away."""

    def __init__(self, app: Flask, *, redis_url: str) -> None:
        self._app = app
        self._redis = connect_redis(redis_url, timeout=REDIS_PATIENCE, retries=0)
        self._pauses = start_pauses()
        self._next_try = 0.0

    def is_ready(self) -> bool:
        """Whether both servers answer. It asks only if the pause is over, and logs one line if a server is away."""
        if time.monotonic() < self._next_try:
            return False
        try:
            self._ask()
        except (DBAPIError, InfrastructureError) as error:
            pause = next(self._pauses)
            log.warning("workers_delayed", retry_in=pause, error=describe(error))
            self._next_try = time.monotonic() + pause
            return False
        self._pauses = start_pauses()
        return True

    def _ask(self) -> None:
        """Ask both servers, and keep no connection, because workers are forked next."""
        ping(self._redis)
        self._redis.close()
        with self._app.app_context():
            try:
                with db.engine.connect() as connection:
                    connection.execute(sa.select(1))
                warm_up()
            finally:
                db.engine.dispose()
