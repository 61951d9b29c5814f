"""Alive, ready, and the figures a monitor scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
import structlog
from apiflask import APIBlueprint
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from imgproc import dispatch
from imgproc.api.schemas import HealthOut, ReadyOut
from imgproc.errors import InfrastructureError
from imgproc.extensions import db, redis_client
from imgproc.models import DeliveryStatus, ProcessingRequest, WebhookDelivery
from imgproc.toolbox import toolbox

blueprint = APIBlueprint("health", __name__, tag="Health")

log = structlog.get_logger(__name__)


@blueprint.get("/healthz")
@blueprint.output(HealthOut)
@blueprint.doc(summary="Alive")
def get_health() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.output(ReadyOut)
@blueprint.doc(summary="Ready", responses={503: "`checks` names what cannot be reached."})
def get_readiness() -> tuple[dict[str, Any], int]:
    """Whether the database, Redis and the buckets can be reached, each by itself."""
    checks = {
        "database": _check(lambda: db.session.execute(sa.select(ProcessingRequest.id).limit(1))),
        "redis": _check(lambda: redis_client().ping()),
        "buckets": _check(toolbox().store.ping),
    }
    ready = set(checks.values()) == {"ok"}
    return {"status": "ready" if ready else "unavailable", "checks": checks}, 200 if ready else 503


def _check(reach: Callable[[], object]) -> str:
    try:
        reach()
    except (DBAPIError, RedisError, InfrastructureError) as error:
        log.warning("not_ready", error=str(error))
        return "unreachable"
    return "ok"


@blueprint.get("/metrics")
@blueprint.doc(summary="Prometheus metrics")
def get_metrics() -> Response:
    """Queue and request figures, read from the database and Redis when scraped."""
    registry = CollectorRegistry()
    registry.register(_Figures())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures:
    """Read at scrape, so that any number of processes tell the same truth."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures of one scrape."""
        queued = GaugeMetricFamily("imgproc_queue_jobs", "Jobs waiting in Redis.", labels=["queue"])
        for name, length in dispatch.queue_lengths().items():
            queued.add_metric([name], length)
        yield queued
        requests = GaugeMetricFamily("imgproc_requests", "Processing requests by status.", labels=["status"])
        counted = sa.select(ProcessingRequest.status, sa.func.count()).group_by(ProcessingRequest.status)
        for status, count in db.session.execute(counted):
            requests.add_metric([status.value], count)
        yield requests
        waiting = sa.select(sa.func.count()).where(WebhookDelivery.status == DeliveryStatus.PENDING)
        deliveries = GaugeMetricFamily("imgproc_deliveries_pending", "Webhook deliveries that wait for their time.")
        deliveries.add_metric([], db.session.execute(waiting).scalar_one())
        yield deliveries
