"""`/metrics`: what all processes of this machine have counted, and gauges read from the database and Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import structlog
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import DBAPIError

from imgproc.api.health import blueprint
from imgproc.core.errors import InfrastructureError
from imgproc.core.metric_files import registry_of
from imgproc.core.metrics import gauge
from imgproc.db import gauges
from imgproc.journey.outage import describe
from imgproc.journey.services import services
from imgproc.queue import enqueue, presence

NAMED_HOSTS = 10  # in a scrape, because strangers choose their names

log = structlog.get_logger(__name__)


@blueprint.get("/metrics")
@blueprint.doc(summary="Get Prometheus metrics")
def get_metrics() -> Response:
    """Counters and histograms of this machine, and gauges; `imgproc_up` says whether each service answered."""
    registry = registry_of(services().settings.metrics_dir)
    registry.register(_Gauges())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Gauges:
    """Reads the gauges at each scrape, so that all web processes return the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of one scrape, without those of a service that is away."""
        up = gauge("imgproc_up")
        reads: dict[str, Callable[[], Iterator[GaugeMetricFamily]]] = {
            "redis": _of_redis,
            "database": _of_database,
        }
        for service, read in reads.items():
            try:
                found = list(read())
            except (DBAPIError, InfrastructureError) as error:
                log.warning("metrics_omitted", service=service, error=describe(error))
                up.add_metric([service], 0)
            else:
                up.add_metric([service], 1)
                yield from found
        yield up


def _of_redis() -> Iterator[GaugeMetricFamily]:
    yield _by_label("imgproc_queue_jobs", enqueue.queue_lengths())
    yield _by_label("imgproc_workers_alive", presence.workers_alive())
    if (age := presence.pass_age()) is not None:
        yield _single("imgproc_sweeper_pass_age_seconds", age)


def _of_database() -> Iterator[GaugeMetricFamily]:
    counted = gauges.open_requests()
    yield _by_label("imgproc_requests", {status: requests for status, (requests, _) in counted.items()})
    yield _single("imgproc_pending_images", sum(images for _, images in counted.values()))
    yield _by_label("imgproc_workers_busy", gauges.workers_busy())
    yield _by_label("imgproc_oldest_seconds", gauges.oldest_due())
    by_host = gauges.waiting_by_host()
    yield _single("imgproc_waiting_products", sum(by_host.values()))
    yield _single("imgproc_waiting_hosts", len(by_host))
    yield _by_label("imgproc_host_waiting_products", dict(islice(by_host.items(), NAMED_HOSTS)))
    yield _single("imgproc_deliveries_pending", gauges.deliveries_pending())


def _by_label(name: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = gauge(name)
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def _single(name: str, value: float) -> GaugeMetricFamily:
    family = gauge(name)
    family.add_metric([], value)
    return family
