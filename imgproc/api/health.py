"""Alive, ready, and the figures a monitor scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Any

import sqlalchemy as sa
import structlog
from apiflask import APIBlueprint, Schema
from apiflask.fields import Dict, String
from apiflask.validators import OneOf
from flask import Flask, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import DBAPIError

from imgproc.api.problems import Problem
from imgproc.core.errors import InfrastructureError
from imgproc.db.engine import db
from imgproc.db.models import DeliveryStatus, ProcessingRequest, WebhookDelivery
from imgproc.journey.outage import describe
from imgproc.journey.services import services
from imgproc.queue import connection, enqueue

PATIENCE = 3.0  # seconds until a service that does not answer counts as away

blueprint = APIBlueprint("health", __name__, tag="Health")

log = structlog.get_logger(__name__)


class HealthOut(Schema):
    """Alive."""

    status = String()


class ReadyOut(Schema):
    """Which parts can be reached."""

    status = String(validate=OneOf(["ready"]))
    checks = Dict(keys=String(), values=String())


def init_app(app: Flask) -> None:
    """Give the app its lookout."""
    app.extensions["lookout"] = Lookout(app)


@blueprint.get("/healthz")
@blueprint.output(HealthOut)
@blueprint.doc(summary="Alive")
def get_health() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.output(ReadyOut)
@blueprint.doc(summary="Ready")
def get_readiness() -> dict[str, Any]:
    """Whether the database, Redis and the buckets can be reached, each by itself; where not, `checks` says which."""
    checks = current_app.extensions["lookout"].look()
    away = [service for service, state in checks.items() if state != "ok"]
    if away:
        raise Problem(503, "not_ready", f"Out of reach: {', '.join(away)}.", checks=checks)
    return {"status": "ready", "checks": checks}


class Lookout:
    """Asks all services at once and waits `PATIENCE` seconds at most, whatever their clients' own deadlines are.

    A question still open from an earlier look is not asked again, so that a service which never answers ties up one
    thread and one connection, not one for each look.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._reach: dict[str, Callable[[], None]] = {
            "database": _reach_database,
            "redis": _reach_redis,
            "buckets": _reach_buckets,
        }
        self._pool = ThreadPoolExecutor(len(self._reach), thread_name_prefix="lookout")
        self._asked: dict[str, Future[str]] = {}
        self._lock = Lock()

    def look(self) -> dict[str, str]:
        """`ok` or `unreachable`, by service."""
        with self._lock:
            for service in self._reach:
                if service not in self._asked or self._asked[service].done():
                    self._asked[service] = self._pool.submit(self._ask, service)
            asked = dict(self._asked)
        answered, _ = wait(asked.values(), timeout=PATIENCE)
        return {service: answer.result() if answer in answered else "unreachable" for service, answer in asked.items()}

    def _ask(self, service: str) -> str:
        with self._app.app_context():
            try:
                self._reach[service]()
            except (DBAPIError, InfrastructureError) as error:
                log.warning("not_ready", service=service, error=describe(error))
                return "unreachable"
            return "ok"


def _reach_database() -> None:
    db.session.execute(sa.select(ProcessingRequest.id).limit(1))


def _reach_redis() -> None:
    connection.ping()


def _reach_buckets() -> None:
    services().store.ping()


@blueprint.get("/metrics")
@blueprint.doc(summary="Prometheus metrics")
def get_metrics() -> Response:
    """Queue and request figures, read from the database and Redis when scraped; `imgproc_up` says which answered."""
    registry = CollectorRegistry()
    registry.register(_Figures())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures:
    """Read at scrape, so that any number of processes tell the same truth."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures of one scrape; those of a service that is away are left out."""
        up = GaugeMetricFamily("imgproc_up", "Whether the service answered this scrape.", labels=["service"])
        for service, read in (("redis", _queue_figures), ("database", _request_figures)):
            try:
                figures = list(read())
            except (DBAPIError, InfrastructureError) as error:
                log.warning("no_figures", service=service, error=describe(error))
                up.add_metric([service], 0)
            else:
                up.add_metric([service], 1)
                yield from figures
        yield up


def _queue_figures() -> Iterator[GaugeMetricFamily]:
    queued = GaugeMetricFamily("imgproc_queue_jobs", "Jobs waiting in Redis.", labels=["queue"])
    for name, length in enqueue.queue_lengths().items():
        queued.add_metric([name], length)
    yield queued


def _request_figures() -> Iterator[GaugeMetricFamily]:
    requests = GaugeMetricFamily("imgproc_requests", "Processing requests by status.", labels=["status"])
    counted = sa.select(ProcessingRequest.status, sa.func.count()).where(ProcessingRequest.removed_at.is_(None))
    for status, count in db.session.execute(counted.group_by(ProcessingRequest.status)):
        requests.add_metric([status.value], count)
    yield requests
    waiting = sa.select(sa.func.count()).where(WebhookDelivery.status == DeliveryStatus.PENDING)
    deliveries = GaugeMetricFamily("imgproc_deliveries_pending", "Webhook deliveries that wait for their time.")
    deliveries.add_metric([], db.session.execute(waiting).scalar_one())
    yield deliveries
