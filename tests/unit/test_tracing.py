"""Traces cost nothing when off, and no work when the collector fails; processes that fork send their own."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from imgproc.core import metrics, span_queue, telemetry, trace_context, tracing
from imgproc.core.config import load_settings
from imgproc.core.metrics import timed
from imgproc.core.otel import OtelTracer
from imgproc.core.span_queue import QUEUE
from imgproc.core.trace_context import TraceContext
from tests.support.collector import Collector, open_collector
from tests.support.hostile_servers import Behaviour, Server, read_request, serving
from tests.support.http_server import Answer

ROOT = Path(__file__).parents[2]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SDKS = {"opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf", "sentry_sdk"}
WITHOUT_EXTRAS = "import sys; sys.modules['opentelemetry'] = sys.modules['sentry_sdk'] = None"
CONFIGURE = "from imgproc.core import config, telemetry; telemetry.configure(config.load_settings())"
BOTH = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "SENTRY_DSN": "http://key@127.0.0.1:1/1"}
OUTCOMES = ("sent", "failed", "dropped")


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    tracing.use(None)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector to which this process sends its spans."""
    with open_collector() as opened:
        trace_to(opened.url)
        yield opened


def trace_to(url: str, **changes: str) -> None:
    """Send spans there; keywords are environment variables."""
    tracing.use(OtelTracer(load_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": url} | changes)))


def make_spans(number: int) -> None:
    """Make a trace with so many spans."""
    with tracing.joined(None, "work", attributes={}):
        for _ in range(number - 1):
            with timed("decode"):
                pass


def counted() -> dict[str, float]:
    """How many spans ended how."""
    return {outcome: metrics.SPANS.labels(outcome)._value.get() for outcome in OUTCOMES}


def moved(before: dict[str, float]) -> dict[str, float]:
    """How many spans have ended how since then; outcomes without any are left out."""
    return {outcome: number - before[outcome] for outcome, number in counted().items() if number != before[outcome]}


def sending_threads() -> list[threading.Thread]:
    """The threads that send spans."""
    return [thread for thread in threading.enumerate() if "Otel" in thread.name]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, sampled=True)),
        (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN)),
        (f" 00-{TRACE}-{SPAN}-03 ", TraceContext(TRACE, SPAN, sampled=True)),
        (f"cc-{TRACE}-{SPAN}-01-of-a-later-version", TraceContext(TRACE, SPAN, sampled=True)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01", None),
        (f"cc-{TRACE}-{SPAN}-01-{'x' * 1000}", None),
        ("00-1-2-01\n", None),
        ("", None),
        (None, None),
    ],
)
def test_the_header_is_read_as_the_standard_says(header: str | None, expected: TraceContext | None) -> None:
    """What is not valid begins a new trace. What is written can be read."""
    assert trace_context.parse(header) == expected
    assert expected is None or trace_context.parse(str(expected)) == expected


def test_a_trace_of_a_large_file_has_bounded_spans() -> None:
    """A collector takes no trace with a million products. The recorded ones are spread over the file."""
    assert sum(map(tracing.is_recorded, range(1, 501))) == 500
    assert sum(map(tracing.is_recorded, range(1, 1_000_001))) == 500 + 49 + 3 * 90 + 1
    assert tracing.is_recorded(990_000)


@pytest.mark.exhaustive
def test_what_is_off_is_not_loaded(tmp_path: Path) -> None:
    """Neither SDK is imported by a web process or a worker, so they cost no memory.

    redis-py imports the part of OpenTelemetry for metrics where that is installed.
    """
    assert loaded("import wsgi, rq_worker", tmp_path) & SDKS == set()
    found = loaded(CONFIGURE, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_SDK_DISABLED="true")
    assert found & (SDKS | {"opentelemetry"}) == set()


def test_what_is_set_is_loaded(tmp_path: Path) -> None:
    """The test above would notice."""
    assert loaded(CONFIGURE, tmp_path, **BOTH) >= SDKS


@pytest.mark.exhaustive
def test_without_the_extras_nothing_is_missed(tmp_path: Path) -> None:
    """Nothing asks for them unless they are set."""
    done = run(f"{WITHOUT_EXTRAS}; import wsgi, rq_worker; print(wsgi.app.name)", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "imgproc\n", "")


@pytest.mark.parametrize(
    ("before", "variables"),
    [
        (WITHOUT_EXTRAS, BOTH),
        ("pass", BOTH | {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many", "SENTRY_DSN": "http://key@host.example/"}),
    ],
    ids=["the extras are missing", "values that the SDKs refuse"],
)
def test_telemetry_that_cannot_start_stops_no_service(before: str, variables: dict[str, str], tmp_path: Path) -> None:
    """A line in the log says what to do."""
    done = run(f"{before}; {CONFIGURE}", tmp_path, **variables)
    assert (done.returncode, (done.stdout + done.stderr).count("telemetry_off")) == (0, 2), done.stderr


def test_a_span_costs_nothing_when_off() -> None:
    """No object is made, and what would describe it is not called."""

    def fail() -> dict[str, str | int | None]:
        raise AssertionError

    before = sending_threads()  # of other tests
    assert tracing.span("image", fail) is tracing.span("decode")
    assert sending_threads() == before


def test_no_thread_starts_before_the_first_span() -> None:
    """So the pool, which forks workers, has one thread."""
    before = sending_threads()  # of other tests
    with open_collector() as opened:
        trace_to(opened.url)
        assert sending_threads() == before
        make_spans(2)
        assert len(sending_threads()) == len(before) + 1


def test_spans_are_sent_and_counted(collector: Collector) -> None:
    """With the headers and to the path of the standard."""
    trace_to(collector.url + "/", OTEL_EXPORTER_OTLP_HEADERS="x-tenant=a%20b,authorization=Bearer%20t")
    before = counted()
    make_spans(3)
    tracing.flush(10)
    assert moved(before) == {"sent": 3}
    (call,) = collector.calls
    assert (call.path, call.headers["x-tenant"], call.headers["authorization"]) == ("/v1/traces", "a b", "Bearer t")
    assert [span.name for span in collector.spans] == ["work", "decode", "decode"]


def test_the_whole_url_may_be_given(collector: Collector) -> None:
    """Some services have a path of their own."""
    trace_to("http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/otlp/traces")
    make_spans(1)
    tracing.flush(10)
    assert collector.calls[0].path == "/otlp/traces"


@pytest.mark.parametrize(
    ("name", "share", "caller", "recorded"),
    [
        ("always_on", "1", "00", True),
        ("always_off", "1", "01", False),
        ("traceidratio", "0", "01", False),
        ("traceidratio", "1", "00", True),
        ("parentbased_always_on", "1", "00", False),
        ("parentbased_always_on", "1", None, True),
        ("parentbased_always_off", "1", "01", True),
        ("parentbased_always_off", "1", None, False),
        ("parentbased_traceidratio", "0", "01", True),
        ("parentbased_traceidratio", "0", None, False),
    ],
)
def test_the_standard_samplers_decide(
    collector: Collector, name: str, share: str, caller: str | None, recorded: bool
) -> None:
    """Those that are parent-based do as the caller does."""
    trace_to(collector.url, OTEL_TRACES_SAMPLER=name, OTEL_TRACES_SAMPLER_ARG=share)
    header = caller and f"00-{TRACE}-{SPAN}-{caller}"
    with tracing.joined(header, "work", attributes={}), timed("decode"):
        passed_on = trace_context.parse(tracing.traceparent())
    tracing.flush(10)
    assert len(collector.spans) == (2 if recorded else 0)
    assert passed_on
    assert passed_on.sampled == recorded
    assert header is None or passed_on.trace_id == TRACE


def test_a_silent_collector_delays_no_work(collector: Collector) -> None:
    """Work ends while the collector holds the first call. Spans beyond the queue are dropped, and all are counted."""
    collector.speak.clear()
    before, number = counted(), QUEUE + 500
    make_spans(number)
    assert collector.asked.wait(10)
    make_spans(100)
    assert not collector.speak.is_set()
    assert moved(before) == {"dropped": 600}
    tracing.flush(0.05)
    assert moved(before) == {"dropped": number + 100}
    assert len(collector.calls) == 1


def endless(connection: socket.socket, _server: Server) -> None:
    """Answer 200 with a body that never ends."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
    while True:
        connection.sendall(bytes(65536))


def dripping(connection: socket.socket, server: Server) -> None:
    """Answer 200 with a body that comes byte by byte."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    server.drip(connection, b"x")


@pytest.mark.parametrize("behaviour", [endless, dripping])
def test_an_answer_without_an_end_is_not_read_on(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status has arrived. The rest would fill the memory, or hold the thread for hours."""
    monkeypatch.setattr(span_queue, "ANSWER_SECONDS", 0.2)
    before = counted()
    with serving(behaviour) as server:
        trace_to(server.url)
        make_spans(3)
        tracing.flush(10)
    assert moved(before) == {"sent": 3}


@pytest.mark.parametrize("answer", [Answer(500), Answer(404, b"<html>"), Answer(401), Answer(0)])
def test_a_collector_that_fails_costs_only_spans(collector: Collector, answer: Answer) -> None:
    """They are counted as failed or, if the process ends during the retries, as dropped."""
    collector.answer = answer
    before = counted()
    make_spans(3)
    tracing.flush(1)
    lost = moved(before)
    assert sum(lost.values()) == 3
    assert "sent" not in lost
    collector.answer = Answer(200)


def test_a_collector_that_is_away_costs_only_spans() -> None:
    """Nothing listens at its port."""
    trace_to("http://127.0.0.1:1")
    before = counted()
    make_spans(3)
    tracing.flush(0.5)
    lost = moved(before)
    assert (sum(lost.values()), "sent" in lost) == (3, False)


def test_an_outage_is_logged_once(collector: Collector) -> None:
    """Its begin and its end; a line for each batch would fill the log."""
    with capture_logs() as logs:
        for status in (404, 404, 200, 200):
            collector.answer = Answer(status)
            make_spans(1)
            tracing.flush(10)
    assert [line["event"] for line in logs] == ["traces_suspended", "traces_resumed"]


def test_a_process_that_can_start_no_thread_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a limit of threads or memory; the trace of the caller goes on."""
    trace_to("http://127.0.0.1:1")
    monkeypatch.setattr(threading.Thread, "start", lambda _self: 1 / 0)
    with tracing.joined(f"00-{TRACE}-{SPAN}-01", "work", attributes={}), timed("decode"):
        assert tracing.traceparent() == f"00-{TRACE}-{SPAN}-01"
    with tracing.joined(None, "work", attributes={}):
        assert trace_context.parse(tracing.traceparent())
    tracing.flush(1)


def in_a_fork(work: Callable[[], None]) -> int:
    """Run `work` in a process that is forked, as workers are; its exit status."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(30)
    return child.exitcode if child.exitcode is not None else -1


def test_forked_processes_send_their_own_spans(collector: Collector) -> None:
    """Whether the parent has sent spans or not. A child sends none of those that wait in its parent."""

    def work() -> None:
        make_spans(2)
        telemetry.flush()

    assert in_a_fork(work) == 0
    make_spans(3)
    assert in_a_fork(work) == 0
    tracing.flush(10)
    instances = [str(span.resource["service.instance.id"]).rpartition(":")[2] for span in collector.spans]
    assert sorted(map(instances.count, set(instances))) == [2, 2, 3]
    assert instances.count(str(os.getpid())) == 3


def test_the_end_of_a_process_waits_for_a_bounded_time(collector: Collector) -> None:
    """A worker must not outlive its pool because a collector is silent: the collector still holds its call."""
    collector.speak.clear()

    def work() -> None:
        make_spans(2)
        telemetry.flush()

    assert in_a_fork(work) == 0
    assert collector.asked.is_set()
    assert not collector.speak.is_set()


def run(program: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program in the checkout."""
    environ = os.environ | {"DATA_DIR": str(folder)} | variables
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def loaded(program: str, folder: Path, **variables: str) -> set[str]:
    """The names of all modules that a Python program has loaded."""
    done = run(f"{program}; import sys; print(*sys.modules)", folder, **variables)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
