"""Liveness, readiness and Prometheus metrics."""

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
from imgproc.db.models import ProcessingRequest, WebhookDelivery
from imgproc.db.statuses import DeliveryStatus
from imgproc.db.waiting_products import count_waiting
from imgproc.journey.outage import describe
from imgproc.journey.services import services
from imgproc.queue import connection, enqueue

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


@blueprint.get("/metrics")
@blueprint.doc(summary="Get Prometheus metrics")
def get_metrics() -> Response:
    """Metrics of queues and requests, read at each scrape; `imgproc_up` says whether each service answered."""
    registry = CollectorRegistry()
    registry.register(_Metrics())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Metrics:
    """Reads the metrics at each scrape, so that all processes return the same values."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics of one scrape, without those of a service that is away."""
        up = GaugeMetricFamily("imgproc_up", "Whether the service answered this scrape.", labels=["service"])
        for service, read in (("redis", _queue_metrics), ("database", _request_metrics)):
            try:
                metrics = list(read())
            except (DBAPIError, InfrastructureError) as error:
                log.warning("metrics_omitted", service=service, error=describe(error))
                up.add_metric([service], 0)
            else:
                up.add_metric([service], 1)
                yield from metrics
        yield up


def _queue_metrics() -> Iterator[GaugeMetricFamily]:
    queued = GaugeMetricFamily("imgproc_queue_jobs", "Jobs waiting in Redis.", labels=["queue"])
    for name, length in enqueue.queue_lengths().items():
        queued.add_metric([name], length)
    yield queued


def _request_metrics() -> Iterator[GaugeMetricFamily]:
    requests = GaugeMetricFamily("imgproc_requests", "Processing requests by status.", labels=["status"])
    counted = sa.select(ProcessingRequest.status, sa.func.count()).where(ProcessingRequest.removed_at.is_(None))
    for status, count in db.session.execute(counted.group_by(ProcessingRequest.status)):
        requests.add_metric([status.value], count)
    yield requests
    counts = count_waiting()
    texts = {"products": "Products that wait for a host.", "hosts": "Hosts that products wait for."}
    for (name, text), number in zip(texts.items(), counts, strict=True):
        gauge = GaugeMetricFamily(f"imgproc_waiting_{name}", text)
        gauge.add_metric([], number)
        yield gauge
    waiting = sa.select(sa.func.count()).where(WebhookDelivery.status == DeliveryStatus.PENDING)
    deliveries = GaugeMetricFamily("imgproc_deliveries_pending", "Webhook deliveries that wait for their next attempt.")
    deliveries.add_metric([], db.session.execute(waiting).scalar_one())
    yield deliveries
