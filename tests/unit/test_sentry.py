"""A dead Sentry costs nothing, and messages of errors keep no values."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest
import sentry_sdk

from imgproc.core import error_reports, telemetry
from imgproc.core.config import load_settings
from imgproc.core.sentry import SentryReporter, message_of
from tests.support.http_server import Answer
from tests.support.sentry_server import SentryServer, open_sentry


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    """A server to which this process reports."""
    with open_sentry() as opened:
        report_to(opened.dsn)
        yield opened
        error_reports.use(None)


def report_to(dsn: str) -> None:
    """Report errors there."""
    error_reports.use(SentryReporter(load_settings({"SENTRY_DSN": dsn})))


@pytest.mark.parametrize("answer", [None, Answer(500), Answer(429, headers={"Retry-After": "3600"}), Answer(0)])
def test_a_server_that_fails_costs_nothing(sentry: SentryServer, answer: Answer | None) -> None:
    """It is silent, fails or limits us: even a thousand reports return at once, and the process ends at once."""
    if answer is None:
        sentry.speak.clear()
    else:
        sentry.answer = answer
    for _ in range(1000):
        error_reports.report(ValueError("x"))
    assert sentry.asked.wait(10)
    error_reports.flush(0.1)
    assert answer is not None or not sentry.speak.is_set()
    sentry.answer = Answer(429, headers={"Retry-After": "3600"})


def test_a_server_that_is_away_costs_nothing() -> None:
    """Nothing listens at its port."""
    report_to("http://key@127.0.0.1:1/1")
    error_reports.report(ValueError("x"))
    error_reports.flush(0.1)
    error_reports.use(None)


def test_forked_workers_report_too(sentry: SentryServer) -> None:
    """The pool has reported before it forks, or not."""

    def work() -> None:
        error_reports.report(ValueError("in the child"))
        telemetry.flush()

    for _ in range(2):
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join(30)
        assert child.exitcode == 0
        error_reports.report(ValueError("in the parent"))
        error_reports.flush(10)
    messages = [event["exception"]["values"][0]["value"] for event in sentry.events]
    assert sorted(messages) == ["in the child"] * 2 + ["in the parent"] * 2


def test_a_report_that_fails_breaks_nothing(sentry: SentryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker reports the error of a job, and takes the next."""
    monkeypatch.setattr(sentry_sdk.Client, "capture_event", lambda *_: 1 / 0)
    error_reports.report(ValueError("x"))


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("list index out of range", "list index out of range"),
        ("Retries exceeded with url: /a.jpg?sig=hunter2&x=1 (by x)", "Retries exceeded with url: /a.jpg (by x)"),
        ("invalid literal for int(): 'Ada Lovelace'", "invalid literal for int(): '…'"),
        ('duplicate key value\nDETAIL: Key (owner)=("Ada Lovelace")', "duplicate key value"),
        ("https://ada:hunter2@shop.example/a#hunter2", "https://REDACTED@shop.example/a"),
        ("x" * 1000, "x" * 300),
        ("", ""),
    ],
)
def test_messages_keep_no_values(message: str, kept: str) -> None:
    """The whole message is in the log, beside the id."""
    assert message_of(message) == kept
