"""Lines about a request carry its ids, whichever thread logs them, and no line carries the ids of other work."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import current_app
from structlog.contextvars import get_contextvars

from imgproc.core.tracing import trace_id_of
from imgproc.db.models import ProcessingRequest
from imgproc.journey import jobs
from imgproc.journey.services import services
from tests.integration.driver import burst, row, submit, work
from tests.support.csv_files import csv_of
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    """The events of that name."""
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [event for event in found if event["event"] == name]


def test_threads_that_make_images_log_the_ids_of_their_product(
    shop: ImageHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several images of a product are made at a time; what fails in one of the threads can be found by its request."""
    monkeypatch.setattr(services().downloader, "download", lambda *_, **__: 1 / 0)
    request_id = submit(csv_of([f"{shop.url}/chelsea.jpg", f"{shop.url}/coffee.png"]))
    work()
    failed = events(caplog, "stage_failed")
    assert len(failed) >= 2
    assert {event["request_id"] for event in failed} == {request_id}
    assert all(event["product_id"] for event in failed)


def test_a_worker_forgets_the_ids_of_a_job_that_has_ended(shop: ImageHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of an idle worker, and of its next job, do not carry them; nor do they after a job that raised."""
    work()
    assert get_contextvars() == {}
    bound: list[dict[str, Any]] = []

    def fail(*_: object, **__: object) -> None:
        bound.append(dict(get_contextvars()))
        raise RuntimeError

    monkeypatch.setattr(jobs, "save_products", fail)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    trace_id = trace_id_of(row(ProcessingRequest).traceparent)
    assert burst()
    assert (bound, get_contextvars()) == ([{"request_id": request_id, "trace_id": trace_id}], {})
    assert trace_id


def test_calls_are_logged_only_if_that_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    """A poll every second would fill the log of a small installation."""
    with caplog.at_level(logging.DEBUG):
        current_app.test_client().get("/api/requests")
    assert events(caplog, "call_answered") == []
