"""Keeps one bad row from stopping a sweep of all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError

from imgproc.core.errors import InfrastructureError
from imgproc.db.engine import db
from imgproc.db.timeouts import is_away

log = structlog.get_logger(__name__)


@contextmanager
def isolated(step: str, **ids: Any) -> Iterator[None]:
    """Log what the body raises, with the ids that tell which row it was, and go on with what follows.

    Raises:
        sqlalchemy.exc.DBAPIError, redis.exceptions.RedisError, InfrastructureError: a server is away, for all alike.
    """
    try:
        yield
    except Exception as error:
        if _is_away(error):
            raise
        db.session.rollback()
        log.exception("sweep_step_failed", step=step, **ids)


def _is_away(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return is_away(error)
    return isinstance(error, (RedisConnectionError, RedisTimeoutError, InfrastructureError))
