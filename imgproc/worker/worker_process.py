"""Turns a process that the pool has forked into a worker, with connections of its own and bounded memory."""

from __future__ import annotations

import os
import threading
from typing import Any

import structlog
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from imgproc.core import metrics, telemetry
from imgproc.core.errors import QueueUnavailable
from imgproc.core.process import accept_stop_signals, die_with_parent, dump_no_core, limit_memory
from imgproc.db.engine import db
from imgproc.db.idle import close_idle_connections
from imgproc.worker.preloaded_worker import PreloadedWorker
from imgproc.worker.roles import LONER, Role
from imgproc.worker.threaded_worker import ThreadedWorker
from imgproc.worker.watchdog import Pulse

STACK_BYTES = 2 * 1024 * 1024  # of a thread: the kernel counts a stack whole, 8 MiB by default, against the limit
NICENESS = 5  # of every worker, so that the API answers while images are made

log = structlog.get_logger(__name__)


def run_worker(
    role: Role,
    *,
    app: Flask,
    name: str,
    connection: Redis,
    parent_pid: int,
    memory_limit: int,
    pulse: Pulse,
) -> None:
    """Run one worker process until it is stopped or its parent dies; a `LONER` until its queue is empty."""
    pulse.start()
    accept_stop_signals()
    die_with_parent()
    if os.getppid() != parent_pid:  # the parent died before the call above
        return
    limit_memory(memory_limit)
    threading.stack_size(STACK_BYTES)
    dump_no_core()
    os.nice(NICENESS + role.niceness)
    with app.app_context():
        pool: Any = db.engine.pool
        if pool.checkedin():  # a new pool takes a megabyte, and those that fork us keep no connection
            db.engine.dispose(close=False)
        if db.engine.dialect.name != "sqlite":
            close_idle_connections(db.engine)
    PreloadedWorker.app = app
    try:
        metrics.start_at_zero(metrics.JOB_FAILURES, *role.queues)
        _worker(role, name=name, connection=connection).work(logging_level=None, burst=role is LONER)
    except (RedisError, QueueUnavailable) as error:
        log.warning("worker_ended", error=str(error))  # the pool starts another once Redis answers
    finally:
        telemetry.flush()


def _worker(role: Role, *, name: str, connection: Redis) -> PreloadedWorker:
    options = {"name": name, "connection": connection, "serializer": JSONSerializer}
    if role.threads > 1:
        return ThreadedWorker(list(role.queues), threads=role.threads, **options)
    return PreloadedWorker(list(role.queues), **options)
