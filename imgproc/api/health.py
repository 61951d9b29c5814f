"""Liveness and readiness."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Any

import sqlalchemy as sa
import structlog
from apiflask import APIBlueprint, Schema
from apiflask.fields import Dict, String
from apiflask.validators import OneOf
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

from imgproc.api.problems import Problem
from imgproc.core.errors import InfrastructureError
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.journey.outage import describe
from imgproc.journey.services import services
from imgproc.queue import connection

PATIENCE = 3.0  # seconds until a service that does not answer counts as unreachable

blueprint = APIBlueprint("health", __name__, tag="Health")

log = structlog.get_logger(__name__)


class HealthOut(Schema):
    """The process is alive."""

    status = String()


class ReadyOut(Schema):
    """Which services can be reached."""

    status = String(validate=OneOf(["ready"]))
    checks = Dict(keys=String(), values=String())


def init_app(app: Flask) -> None:
    """Register the readiness checks."""
    app.extensions["readiness"] = ReadinessChecks(app)


@blueprint.get("/healthz")
@blueprint.output(HealthOut)
@blueprint.doc(summary="Check that the process is alive")
def get_health() -> dict[str, str]:
    """The process answers. No service is checked."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.output(ReadyOut)
@blueprint.doc(summary="Check that the services can be reached")
def get_readiness() -> dict[str, Any]:
    """Whether the database, Redis and the buckets can be reached. If not, `checks` names those that cannot."""
    checks = current_app.extensions["readiness"].run()
    unreachable = [service for service, state in checks.items() if state != "ok"]
    if unreachable:
        raise Problem(
            503, "not_ready", f"Cannot be reached: {', '.join(unreachable)}; the log has the reason.", checks=checks
        )
    return {"status": "ready", "checks": checks}


class ReadinessChecks:
    """Checks all services at once and waits at most `PATIENCE` seconds, whatever the time limits of their clients.

    A check that is still running is not started again, so a service that never answers holds one thread and one
    connection.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._reach: dict[str, Callable[[], None]] = {
            "database": _reach_database,
            "redis": _reach_redis,
            "buckets": _reach_buckets,
        }
        self._pool = ThreadPoolExecutor(len(self._reach), thread_name_prefix="readiness")
        self._running: dict[str, Future[str]] = {}
        self._lock = Lock()

    def run(self) -> dict[str, str]:
        """The state of each service: `ok` or `unreachable`."""
        with self._lock:
            for service in self._reach:
                if service not in self._running or self._running[service].done():
                    self._running[service] = self._pool.submit(self._check, service)
            checks = dict(self._running)
        done, _ = wait(checks.values(), timeout=PATIENCE)
        return {service: check.result() if check in done else "unreachable" for service, check in checks.items()}

    def _check(self, service: str) -> str:
        with self._app.app_context():
            try:
                self._reach[service]()
            except (DBAPIError, InfrastructureError) as error:
                log.warning("check_failed", service=service, error=describe(error))
                return "unreachable"
            return "ok"


def _reach_database() -> None:
    db.session.execute(sa.select(ProcessingRequest.id).limit(1))


def _reach_redis() -> None:
    connection.ping()


def _reach_buckets() -> None:
    services().store.ping()
