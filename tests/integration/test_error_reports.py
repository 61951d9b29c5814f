"""Sentry gets our unexpected errors with their ids, nothing of users' files, and a dead one costs nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import current_app

from imgproc.api import requests
from imgproc.core import error_reports
from imgproc.core.sentry import SentryReporter
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest
from imgproc.journey import jobs
from imgproc.journey.services import services
from imgproc.worker import sweeper
from tests.integration.driver import burst, drain, row, submit, upload, work
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost
from tests.support.sentry_server import SentryServer, open_sentry

pytestmark = pytest.mark.usefixtures("app")

SECRETS = ("hunter2", "Ada Lovelace", "ada@shop.example")


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    """A server to which this process reports."""
    with open_sentry() as opened:
        report_to(opened.dsn)
        yield opened
        error_reports.use(None)
        gc.collect()  # a socket that the SDK kept alive


def report_to(dsn: str) -> None:
    """Report errors there."""
    settings = replace(services().settings, sentry_dsn=dsn, sentry_environment="staging")
    error_reports.use(SentryReporter(settings))


def events_of(sentry: SentryServer) -> list[dict[str, Any]]:
    """All events until now."""
    error_reports.flush(10)
    return sentry.events


def fail(*_: object, **__: object) -> None:
    """Raise what quotes values of a user, from an error that quotes more."""
    email, answer = "ada@shop.example", {"name": "Ada Lovelace"}
    try:
        raise KeyError(answer["name"] + email)
    except KeyError as error:
        raise RuntimeError(f"No 'Ada Lovelace' at https://shop.example/a?token=hunter2\nrow: {email}") from error


def test_a_call_that_fails_is_reported_with_the_id_of_its_answer(
    sentry: SentryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller tells the id, and the report is found by it."""
    monkeypatch.setattr(requests.reads, "get_request", fail)
    monkeypatch.setitem(current_app.config, "PROPAGATE_EXCEPTIONS", False)
    path = "/api/status/00000000-0000-4000-8000-000000000000"
    headers = {"Cookie": "session=hunter2", "Referer": "https://x/?key=hunter2", "User-Agent": "Ada Lovelace"}
    answer = current_app.test_client().get(path, headers=headers)
    assert answer.status_code == 500, answer.text
    (event,) = events_of(sentry)
    assert event["tags"]["error_id"] == answer.get_json()["errorId"]
    assert event["tags"]["route"] == "/api/status/<request_id>"
    assert len(event["tags"]["trace_id"]) == 32
    assert event["environment"] == "staging"
    assert event["exception"]["values"][-1]["type"] == "RuntimeError"
    assert event["exception"]["values"][-1]["value"] == "No '…' at https://shop.example/a"
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert [secret for secret in SECRETS if secret in str(sentry.bodies)] == []
    assert event.keys().isdisjoint({"request", "user", "breadcrumbs", "extra", "server_name", "modules"})


def test_a_job_that_fails_is_reported_with_its_ids(
    shop: ImageHost, sentry: SentryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the request that suffers is known."""
    monkeypatch.setattr(jobs, "save_products", fail)
    request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert burst()
    (event,) = events_of(sentry)
    tags = event["tags"]
    assert (tags["request_id"], tags["job"], tags["queue"]) == (request_id, f"plan-{request_id}", "express")
    assert tags["trace_id"] in row(ProcessingRequest).traceparent
    assert [secret for secret in SECRETS if secret in str(sentry.bodies)] == []


def test_a_stage_and_a_sweep_that_fail_are_reported(
    shop: ImageHost, sentry: SentryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both go on: the image fails alone, and the sweeper makes its other steps."""
    monkeypatch.setattr(services().downloader, "download", fail)
    monkeypatch.setattr(sweeper, "_elect_finalizers", fail)
    submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work()
    sweeper.sweep()
    found = [event["tags"] for event in events_of(sentry)]
    assert [(tags.get("stage"), tags.get("step")) for tags in found] == [("connect_failed", None), (None, "fail")]
    assert found[0]["product_id"]


def test_problems_of_files_and_hosts_are_not_reported(shop: ImageHost, sentry: SentryServer) -> None:
    """Images that are missing, no pictures or refused, files that are not valid, receivers that fail, wrong paths."""
    upload("nonsense")
    current_app.test_client().get("/api/nothing")
    cells = [f"{shop.url}/missing.jpg", f"{shop.url}/page.jpg", f"{shop.url}/cut.jpg", f"{shop.url}/forbidden.jpg"]
    drain(submit(csv_of(*cells), webhookUrl=shop.says("/hook", Answer(500))))
    assert events_of(sentry) == []


def test_an_outage_is_not_reported(sentry: SentryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of ours that are away are the alerts' affair; each call and job would report them."""

    def refuse(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, ConnectionRefusedError("refused"), connection_invalidated=True)

    monkeypatch.setattr(db.session, "execute", refuse)
    assert current_app.test_client().get("/api/requests").status_code == 503
    assert events_of(sentry) == []
