"""Every metric moves when what it counts happens, on the real database, Redis and object store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask, current_app

from imgproc.core import metric_files
from imgproc.core.metrics import GAUGES, KEPT
from imgproc.db.engine import db
from imgproc.db.models import Product
from imgproc.db.transitions import products
from imgproc.journey import jobs
from imgproc.journey.services import services
from imgproc.queue import presence
from imgproc.queue.connection import redis_client
from imgproc.worker import sweeper
from tests.integration.driver import LEASE, burst, configure, lose_queue, pass_time, planned, rows, submit, work
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.scrapes import Scrape, parse

pytestmark = pytest.mark.usefixtures("app")
Scene = Callable[[ImageHost], None]


def scrape() -> Scrape:
    """What `/metrics` says now; the session is reset first, as for a separate caller."""
    db.session.rollback()
    response = current_app.test_client().get("/metrics")
    assert response.status_code == 200
    return parse(response.text)


@pytest.fixture(autouse=True)
def _folder(app: Flask) -> None:
    """Keep what is counted in the folder of this app; other tests may have made apps with other folders."""
    metric_files.use(services().settings.metrics_dir)


def completed(shop: ImageHost) -> None:
    """Complete a request with a webhook. The host is asked by name, over a new connection."""
    services().downloader.close()
    url = shop.url.replace("127.0.0.1", "localhost")
    submit(csv_of(f"{url}/chelsea.jpg"), webhookUrl=f"{shop.url}/webhook")
    work()


def with_a_missing_image(shop: ImageHost) -> None:
    """End a request whose only image is not there."""
    submit(csv_of(f"{shop.url}/missing.jpg"))
    work()


def refused(shop: ImageHost) -> None:
    """Try an image at a host that is busy."""
    submit(csv_of(shop.says("/busy.jpg", Answer(429))))
    work()


def with_a_failing_receiver(shop: ImageHost) -> None:
    """Announce an end to a receiver that fails; the webhook waits for its next attempt."""
    submit(csv_of(f"{shop.url}/chelsea.jpg"), webhookUrl=shop.says("/webhook", Answer(500)))
    work()


def uploaded(shop: ImageHost) -> None:
    """Upload a file; no worker runs."""
    submit(csv_of(f"{shop.url}/chelsea.jpg"))


def claimed(_shop: ImageHost) -> None:
    """Lease a product."""
    planned(products=1)
    sweeper.sweep()
    assert products.claim(rows(Product)[0].id, **LEASE)


def expired(shop: ImageHost) -> None:
    """Let the lease of a product expire, and sweep."""
    claimed(shop)
    pass_time(60)
    sweeper.sweep()


def with_a_lost_job(_shop: ImageHost) -> None:
    """Lose the job of a product, and sweep. An earlier sweep has seen this Redis."""
    sweeper.sweep()
    planned(products=1)
    sweeper.sweep()
    lose_queue()
    pass_time(60)
    sweeper.sweep()


def queued_for_a_minute(_shop: ImageHost) -> None:
    """Queue a product a minute ago."""
    planned(products=1)
    sweeper.sweep()
    pass_time(60)


def with_a_bug(_shop: ImageHost) -> None:
    """Run a job that raises."""
    uploaded(_shop)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jobs, "save_products", lambda *_, **__: 1 / 0)
        assert burst()


def with_a_pool(_shop: ImageHost) -> None:
    """Let a pool report three workers."""
    presence.report_pool(redis_client(), "a pool", {"images": 3})


def swept(_shop: ImageHost) -> None:
    """Let a sweeper end a pass, and a second go by."""
    sweeper.sweep()
    redis_client().expire(presence.SWEPT, presence.SWEPT_SECONDS - 1)


def nothing(_shop: ImageHost) -> None:
    """Only scrape."""


# Metric -> what moves it, the sample that must move, its labels, and by how much; None is any amount.
MOVES: list[tuple[Scene, str, dict[str, str], float | None]] = [
    (completed, "imgproc_requests_ended_total", {"outcome": "completed", "code": ""}, 1),
    (with_a_missing_image, "imgproc_requests_ended_total", {"outcome": "failed", "code": "no_image_succeeded"}, 1),
    (completed, "imgproc_images_total", {"outcome": "completed"}, 1),
    (with_a_missing_image, "imgproc_images_total", {"outcome": "failed", "code": "http_404"}, 1),
    (completed, "imgproc_image_bytes_total", {"direction": "in"}, None),
    (completed, "imgproc_image_bytes_total", {"direction": "out"}, None),
    (refused, "imgproc_host_pauses_total", {"reason": "busy"}, 1),
    (completed, "imgproc_deliveries_total", {"outcome": "delivered", "code": ""}, 1),
    (with_a_failing_receiver, "imgproc_deliveries_total", {"outcome": "pending", "code": "http_500"}, 1),
    (expired, "imgproc_leases_expired_total", {"work": "process_product"}, 1),
    (with_a_lost_job, "imgproc_sweeper_repairs_total", {"work": "process_product"}, 1),
    (with_a_bug, "imgproc_job_failures_total", {"queue": "express"}, 1),
    *(
        (completed, "imgproc_stage_seconds_count", {"stage": stage}, None)
        for stage in ("wait", "dns", "connect", "first_byte", "download", "decode", "encode", "put")
    ),
    (uploaded, "imgproc_http_request_seconds_count", {"method": "POST", "route": "/api/upload", "status": "202"}, 1),
    (nothing, "imgproc_http_request_seconds_count", {"method": "GET", "route": "/metrics", "status": "200"}, 1),
    (uploaded, "imgproc_queue_jobs", {"queue": "express"}, 1),
    (with_a_pool, "imgproc_workers_alive", {"role": "images"}, 3),
    (claimed, "imgproc_workers_busy", {"role": "images"}, 1),
    (swept, "imgproc_sweeper_pass_age_seconds", {}, None),
    (uploaded, "imgproc_requests", {"status": "pending"}, 1),
    (uploaded, "imgproc_pending_images", {}, 1),
    (queued_for_a_minute, "imgproc_oldest_seconds", {"work": "process_product"}, None),
    (refused, "imgproc_waiting_products", {}, 1),
    (refused, "imgproc_waiting_hosts", {}, 1),
    (refused, "imgproc_host_waiting_products", {}, 1),
    (with_a_failing_receiver, "imgproc_deliveries_pending", {}, 1),
]
ELSEWHERE = {
    "imgproc_up",  # the next test but one takes Redis away
    "imgproc_spans",  # tests/unit/test_tracing.py has a collector
    "imgproc_worker_deaths",  # tests/e2e/test_metrics.py kills workers
}


@pytest.mark.parametrize(
    ("scene", "name", "labels", "by"), [pytest.param(*move, id=f"{move[1]} {move[0].__name__}") for move in MOVES]
)
def test_a_metric_moves(shop: ImageHost, scene: Scene, name: str, labels: dict[str, str], by: float | None) -> None:
    """What happens is counted once: the next scrape shows it, of whichever process."""
    before = scrape().value(name, **labels)
    scene(shop)
    moved = scrape().value(name, **labels) - before
    assert moved == by if by is not None else moved > 0, moved


def test_every_metric_has_a_test_that_moves_it() -> None:
    """A new metric needs a line in the table above."""
    names = {next(iter(metric.describe())).name for metric in KEPT} | set(GAUGES)
    moved = {name.removesuffix("_total").removesuffix("_count") for _, name, _, _ in MOVES}
    assert moved | ELSEWHERE == names


def test_a_service_that_is_away_is_down_and_the_rest_is_told(app: Flask, make_app: Callable[..., Flask]) -> None:
    """Without Redis, a scrape still has the gauges of the database and the counters of all processes."""
    away = make_app(REDIS_URL="redis://127.0.0.1:1/0")
    found = parse(away.test_client().get("/metrics").text)
    assert (found.value("imgproc_up", service="redis"), found.value("imgproc_up", service="database")) == (0, 1)
    assert "imgproc_workers_alive" not in found.names()
    assert "imgproc_pending_images" in found.names()


def test_workers_of_a_pool_that_is_gone_are_not_alive() -> None:
    """A pool that has not reported for half a minute has died, or its host has."""
    presence.report_pool(redis_client(), "gone", {"images": 8})
    presence.report_pool(redis_client(), "here", {"images": 2, "deliveries": 1})
    age = presence.PRESENT_SECONDS + 1
    redis_client().zincrby(presence.POOLS, -age, "gone")
    found = scrape()
    assert found.value("imgproc_workers_alive", role="images") == 2
    assert found.value("imgproc_workers_alive", role="deliveries") == 1


def test_a_pool_that_has_not_reported_for_a_day_is_forgotten() -> None:
    """So Redis does not keep the pools of every deployment."""
    presence.report_pool(redis_client(), "old", {"images": 8})
    redis_client().zincrby(presence.POOLS, -90_000, "old")
    presence.report_pool(redis_client(), "new", {"images": 1})
    assert redis_client().hkeys(presence.WORKERS) == [b"new"]


def test_requests_that_ended_are_not_read_by_a_scrape(shop: ImageHost) -> None:
    """Gauges show what is open; the counters say what has ended."""
    completed(shop)
    found = scrape()
    assert found.value("imgproc_requests") == found.value("imgproc_pending_images") == 0


def test_metrics_go_on_without_a_folder(app: Flask, make_app: Callable[..., Flask], shop: ImageHost) -> None:
    """A folder that cannot be used costs the counters, and no request."""
    blocked = services().settings.data_dir / "a file"
    blocked.write_text("")
    metric_files.use(blocked / "metrics")
    configure(metrics_dir=blocked / "metrics")
    completed(shop)
    assert scrape().value("imgproc_up", service="database") == 1


def test_strangers_add_no_series() -> None:
    """Each unknown address or method would be a new series for ever."""
    scrape()
    before = {sample for sample in scrape().totals() if "http" in sample[0]}
    for path, method in (("/nowhere/1", "GET"), ("/nowhere/2", "GET"), ("/nowhere/3", "BREW"), ("/nowhere/4", "STIR")):
        assert current_app.test_client().open(path, method=method).status_code in {404, 405}
    new = {sample for sample in scrape().totals() if "http" in sample[0]} - before
    routes = {(dict(labels)["method"], dict(labels)["route"]) for _, labels in new}
    assert routes <= {("GET", "unknown"), ("unknown", "unknown")}
