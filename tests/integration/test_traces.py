"""A request is one trace, through the queue and all processes, from its upload to its webhook."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import current_app

from imgproc.core import trace_context, tracing
from imgproc.core.otel import OtelTracer
from imgproc.db.engine import db
from imgproc.db.models import ProcessingRequest, Product, WebhookDelivery
from imgproc.db.transitions import deliveries, products, requests
from imgproc.journey import jobs
from imgproc.journey.services import services
from imgproc.worker import sweeper
from tests.integration.driver import LEASE, burst, configure, drain, pass_time, planned, row, rows, submit, upload, work
from tests.integration.test_log_ids import events
from tests.support.collector import Collector, Received, open_collector
from tests.support.csv_files import csv_of
from tests.support.http_server import Answer
from tests.support.image_host import ImageHost

pytestmark = pytest.mark.usefixtures("app")

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID, CALLER_ID = CALLER.split("-")[1:3]
STAGES = {"wait", "dns", "connect", "first_byte", "download", "decode", "encode", "put"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector to which this process sends its spans."""
    with open_collector() as opened:
        settings = replace(services().settings, otel_exporter_otlp_endpoint=opened.url, otel_service_name="shop")
        tracing.use(OtelTracer(settings))
        yield opened
        tracing.use(None)


def spans_of(collector: Collector) -> list[Received]:
    """All spans until now."""
    tracing.flush(10)
    return collector.spans


def test_one_trace_leads_from_the_upload_to_the_webhook(shop: ImageHost, collector: Collector) -> None:
    """It continues the caller's, every span but the caller's is there, and the receiver gets the last one."""
    services().downloader.close()
    url = shop.url.replace("127.0.0.1", "localhost")
    files, hook = csv_of([f"{url}/chelsea.jpg", f"{url}/coffee.png"]), f"{url}/webhook"
    request_id = upload(files, headers={"traceparent": CALLER}, webhookUrl=hook).json["requestId"]
    work()
    spans = spans_of(collector)
    by_id = {span.span_id: span for span in spans}
    assert {span.trace_id for span in spans} == {TRACE_ID}
    parents = {span.name: by_id[span.parent_id].name if span.parent_id in by_id else "" for span in spans}
    top = "POST /api/upload"
    assert {name: parents[name] for name in parents if name not in STAGES} == {
        top: "",
        "plan": top,
        "process_product": top,
        "image": "process_product",
        "finalize": top,
        "deliver": top,
    }
    (root,), (delivery,) = collector.named(top), collector.named("deliver")
    assert root.parent_id == CALLER_ID
    assert parents.keys() >= STAGES
    assert (parents["wait"], parents["decode"], parents["put"]) == ("process_product", "image", "image")
    assert {by_id[span.parent_id].name for span in collector.named("dns")} == {"download", "deliver"}
    (webhook,) = shop.announcements
    assert webhook.headers["traceparent"] == f"00-{TRACE_ID}-{delivery.span_id}-01"
    assert {span.attributes["imgproc.request_id"] for span in (root, delivery)} == {request_id}
    assert root.attributes["http.response.status_code"] == 202
    assert not any(span.failed for span in spans)
    assert {span.resource["service.name"] for span in spans} == {"shop"}


def test_spans_lie_inside_their_parents(shop: ImageHost, collector: Collector) -> None:
    """A product begins when it is queued, so that its first child, the wait, is inside."""
    submit(csv_of(f"{shop.url}/chelsea.jpg"))
    work()
    spans = spans_of(collector)
    by_id = {span.span_id: span for span in spans}
    tolerance = 2_000_000  # ns, between the clocks of the database and of the process
    for span in spans:
        parent = by_id.get(span.parent_id)
        if parent and span.name not in {"plan", "process_product", "finalize", "deliver"}:
            assert parent.start - tolerance <= span.start <= span.end <= parent.end + tolerance, (span, parent)


def test_a_trace_that_nobody_began_begins_at_the_upload(shop: ImageHost, collector: Collector) -> None:
    """Each upload is a trace of its own, which is stored with the request."""
    submit(csv_of(f"{shop.url}/chelsea.jpg"))
    (root,) = [span for span in spans_of(collector) if not span.parent_id]
    assert row(ProcessingRequest).traceparent == f"00-{root.trace_id}-{root.span_id}-01"
    submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert len({span.trace_id for span in spans_of(collector)}) == 2


@pytest.mark.parametrize("header", [CALLER[:-1] + "0", CALLER])
def test_without_spans_the_trace_goes_on_as_well(
    shop: ImageHost, header: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller records nothing, or we do: log lines and webhooks still carry the trace."""
    collector = request.getfixturevalue("collector") if header != CALLER else None
    hook = shop.says("/hook", Answer(500))
    with caplog.at_level(logging.INFO):
        upload(csv_of(f"{shop.url}/missing.jpg"), headers={"traceparent": header}, webhookUrl=hook)
        work()
    assert collector is None or spans_of(collector) == []
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict) and "request_id" in record.msg]
    assert {line["event"] for line in lines} >= {"request_ended", "delivery_attempted"}
    assert {line.get("trace_id") for line in lines} == {TRACE_ID}
    (call,) = shop.announcements
    context = trace_context.parse(call.headers["traceparent"])
    assert context
    assert (context.trace_id, context.sampled) == (TRACE_ID, header == CALLER)


def test_failures_are_told_by_their_codes(shop: ImageHost, collector: Collector) -> None:
    """An image, a webhook and a job say why they failed; a trace can be searched for them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jobs, "save_products", lambda *_, **__: 1 / 0)
        submit(csv_of(f"{shop.url}/chelsea.jpg"))
        assert burst()
    submit(csv_of(f"{shop.url}/missing.jpg"), webhookUrl=shop.says("/hook", Answer(503)))
    work()
    told = {(span.name, span.attributes.get("error.type")) for span in spans_of(collector) if span.failed}
    image = {("download", "http_404"), ("image", "http_404")}
    assert told == image | {("plan", "ZeroDivisionError"), ("deliver", "http_503")}


def test_no_value_of_a_file_is_sent(shop: ImageHost, collector: Collector) -> None:
    """No query, no path, no credentials, no name of a product, no reference, no webhook's secret path."""
    secrets = ("hunter2", "chelsea", "Ada Lovelace", "SKU-7", "order-9", "s3cr3t")
    csv = csv_of(f"{shop.url}/chelsea.jpg?token=hunter2", f"{shop.url}/gone-s3cr3t.jpg").replace("SKU 1", "SKU-7")
    hook = shop.says("/hook-s3cr3t", Answer(500))
    upload(csv, reference="order-9", webhookUrl=f"{hook}?key=hunter2", headers={"User-Agent": "Ada Lovelace"})
    work()
    assert spans_of(collector)
    sent = b"".join(call.body for call in collector.calls)
    assert [secret for secret in secrets if secret.encode() in sent] == []
    hosts = {span.attributes["server.address"] for span in collector.named("image")}
    assert hosts == {shop.url.removeprefix("http://")}


def test_polls_have_no_spans(collector: Collector) -> None:
    """They would be most of all spans. Calls that change something have one, refused or not."""
    planned(products=1)
    current_app.test_client().get("/api/requests")
    current_app.test_client().get("/healthz")
    upload("nonsense")
    (span,) = spans_of(collector)
    assert (span.name, span.attributes["http.response.status_code"]) == ("POST /api/upload", 422)
    assert not span.failed


def test_a_request_of_the_last_release_is_processed(shop: ImageHost, collector: Collector) -> None:
    """It has no trace: each of its jobs begins one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tracing, "traceparent", lambda: None)
        request_id = submit(csv_of(f"{shop.url}/chelsea.jpg"))
    assert drain(request_id)["status"] == "completed"
    names = Counter(span.name for span in spans_of(collector) if not span.parent_id)
    assert names == {"POST /api/upload": 1, "plan": 1, "process_product": 1, "finalize": 1}


def test_what_the_sweeper_ends_has_the_ids_too(shop: ImageHost, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that dies logs nothing; the lines about its work are found by the request and by the trace."""
    configure(max_attempts=1)
    caplog.set_level(logging.INFO)
    hook = shop.says("/hook", Answer(500))
    upload(csv_of(f"{shop.url}/chelsea.jpg"), headers={"traceparent": CALLER}, webhookUrl=hook)
    work(most=1)
    for alone in (False, True):
        assert products.claim(row(Product).id, **LEASE, alone=alone)
        expire()
    work()
    pass_time(60)
    assert deliveries.claim(row(WebhookDelivery).id, **LEASE)
    expire()
    upload(csv_of(f"{shop.url}/chelsea.jpg"), headers={"traceparent": CALLER})
    newest = rows(ProcessingRequest, by=ProcessingRequest.created_at.desc())[0].id
    for alone in (False, True):
        assert requests.claim_plan(newest, **LEASE, alone=alone)
        expire()
    found = [event for name in ("product_failed", "delivery_lost", "request_failed") for event in events(caplog, name)]
    assert [event["trace_id"] for event in found] == [TRACE_ID] * 3
    assert {event["request_id"] for event in found} == {each.id for each in rows(ProcessingRequest)}


def expire() -> None:
    """Let every lease expire, and sweep."""
    pass_time(60)
    db.session.rollback()  # on SQLite the session of the upload would see the past
    sweeper.sweep()


def test_the_access_log_has_the_ids_and_no_secret(
    make_app: object, caplog: pytest.LogCaptureFixture, shop: ImageHost
) -> None:
    """A line has the request, the trace and the path; a query may hold anything, and is left out."""
    app = make_app(ACCESS_LOG="true", LOG_LEVEL="INFO")  # type: ignore[operator]  # a fixture
    token = f"{'a' * 43}.{'b' * 43}"
    with app.app_context(), caplog.at_level(logging.INFO):
        request_id = upload(csv_of(f"{shop.url}/a.jpg?sig=hunter2"), headers={"traceparent": CALLER}).json["requestId"]
        client = app.test_client()
        client.get(f"/api/status/{request_id}?X-Amz-Signature=hunter2&api_key=hunter2")
        client.get(f"/share/{token}?sig=hunter2", headers={"traceparent": CALLER, "Referer": "https://x/?t=hunter2"})
    made, read, shared = events(caplog, "call_answered")
    assert (made["request_id"], made["trace_id"]) == (request_id, TRACE_ID)
    assert (read["request_id"], read["path"]) == (request_id, f"/api/status/{request_id}")
    assert len(read["trace_id"]) == 32
    assert read["trace_id"] != TRACE_ID
    assert shared["trace_id"] == TRACE_ID
    written = "\n".join(record.getMessage() for record in caplog.records)
    assert "hunter2" not in written
