"""Closes the database connections that a process has not used for a while.

A worker uses the database while it claims and finishes work, and waits for hosts or for a job most of the time. With a
connection open all the time, a few pools of 32 workers would take all connections that a PostgreSQL server has.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from sqlalchemy import Engine, event

IDLE_SECONDS = 1.0


def close_idle_connections(engine: Engine, *, after: float = IDLE_SECONDS) -> None:
    """Start a thread that closes the pooled connections of `engine` once none was used for `after` seconds.

    Opening one takes milliseconds, so a busy worker keeps its own.
    """
    used = threading.Event()

    @event.listens_for(engine, "checkin")
    def note(_connection: Any, _record: Any) -> None:
        used.set()

    def close() -> None:
        while used.wait():
            used.clear()
            time.sleep(after)
            if not used.is_set() and not _in_use(engine):
                engine.dispose()

    threading.Thread(target=close, name="idle-connections", daemon=True).start()


def _in_use(engine: Engine) -> int:
    """How many connections are in use."""
    pool: Any = engine.pool
    return int(pool.checkedout())
