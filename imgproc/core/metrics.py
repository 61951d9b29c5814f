"""The metrics: what each means, and by which labels it is told apart. `docs/reference/metrics.md` is written from here.

Counters and histograms are kept by the process in which something happens. Gauges are read at each scrape. Every metric
has labels, because prometheus_client makes the values of one without labels on import. The values of labels are few:
codes, stages, routes; never ids or URLs.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily

# Before prometheus_client makes any value.
from imgproc.core import metric_files  # noqa: F401 - it says where values are kept
from imgproc.core.tracing import span

# What the stages of one image have taken so far, by their names. Each stage adds its own.
StageSeconds = dict[str, float]

STAGE_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("imgproc_requests_ended", "Requests that ended.", ["outcome", "code"], registry=None)
IMAGES = Counter("imgproc_images", "Images that ended.", ["outcome", "code"], registry=None)
IMAGE_BYTES = Counter("imgproc_image_bytes", "Bytes of finished images.", ["direction"], registry=None)
HOST_PAUSES = Counter("imgproc_host_pauses", "Attempts at images put off by hosts.", ["reason"], registry=None)
DELIVERIES = Counter("imgproc_deliveries", "Attempts at webhooks.", ["outcome", "code"], registry=None)
LEASES_EXPIRED = Counter("imgproc_leases_expired", "Leases that expired.", ["work"], registry=None)
REPAIRS = Counter("imgproc_sweeper_repairs", "Jobs that Redis had lost, enqueued again.", ["work"], registry=None)
JOB_FAILURES = Counter("imgproc_job_failures", "Jobs that raised an unexpected error.", ["queue"], registry=None)
WORKER_DEATHS = Counter("imgproc_worker_deaths", "Worker processes that died.", ["role"], registry=None)
SPANS = Counter("imgproc_spans", "Spans of traces.", ["outcome"], registry=None)
STAGES = Histogram("imgproc_stage_seconds", "Seconds per stage.", ["stage"], buckets=STAGE_BUCKETS, registry=None)
HTTP = Histogram(
    "imgproc_http_request_seconds",
    "Seconds to answer.",
    ["method", "route", "status"],
    buckets=HTTP_BUCKETS,
    registry=None,
)
KEPT = (
    REQUESTS,
    IMAGES,
    IMAGE_BYTES,
    HOST_PAUSES,
    DELIVERIES,
    LEASES_EXPIRED,
    REPAIRS,
    JOB_FAILURES,
    WORKER_DEATHS,
    SPANS,
    STAGES,
    HTTP,
)

# Name -> what it says, and its labels.
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "imgproc_up": ("Whether the service answered this scrape.", ("service",)),
    "imgproc_queue_jobs": ("Jobs waiting in Redis.", ("queue",)),
    "imgproc_workers_alive": (
        "Workers (jobs that their processes can take at a time) of the pools that reported in the last 30 s.",
        ("role",),
    ),
    "imgproc_workers_busy": ("Jobs that workers hold a lease for.", ("role",)),
    "imgproc_sweeper_pass_age_seconds": ("Seconds since the last whole pass of a sweeper.", ()),
    "imgproc_requests": ("Requests that have not ended.", ("status",)),
    "imgproc_pending_images": ("Images of open requests that have not ended.", ()),
    "imgproc_oldest_seconds": ("Seconds that the oldest due work has waited for a worker.", ("work",)),
    "imgproc_waiting_products": ("Products that wait for a host.", ()),
    "imgproc_waiting_hosts": ("Hosts that products wait for.", ()),
    "imgproc_host_waiting_products": ("Products that wait for the host, of the ten hosts with most.", ("host",)),
    "imgproc_deliveries_pending": ("Webhook deliveries that wait for their next attempt.", ()),
}


def start_at_zero(counter: Counter, *labels: str) -> None:
    """Show the counter from the start: Prometheus sees no increase in a series that begins at 1."""
    for label in labels:
        counter.labels(label)


def gauge(name: str) -> GaugeMetricFamily:
    """An empty gauge of the table."""
    text, labels = GAUGES[name]
    return GaugeMetricFamily(name, text, labels=labels)


class timed:  # noqa: N801 - it reads as a function, but a generator would take longer than what it adds to
    """Measure how long the body takes, as `stage`; a body that raises counts too. In a trace it is a span.

    The time is added to `spent`.
    """

    __slots__ = ("_span", "_spent", "_stage", "_started")

    def __init__(self, stage: str, spent: StageSeconds | None = None) -> None:
        self._stage, self._spent = stage, spent

    def __enter__(self) -> None:
        self._started = time.monotonic()
        self._span = span(self._stage)
        self._span.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self._span.__exit__(*raised)
        observe(self._stage, time.monotonic() - self._started, self._spent)


def observe(stage: str, seconds: float, spent: StageSeconds | None = None) -> None:
    """Count a stage that took `seconds`, and add them to `spent`."""
    _stage(stage).observe(seconds)
    if spent is not None:
        spent[stage] = spent.get(stage, 0.0) + seconds


@cache
def _stage(stage: str) -> Histogram:
    return STAGES.labels(stage)
