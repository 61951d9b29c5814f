"""Sends spans to a collector by OTLP over HTTP, with the OpenTelemetry SDK of the extra `otel`.

A collector that is away, slow or answers nonsense delays no work: spans wait in a bounded queue, a thread of each
process sends them, and what does not fit is dropped and counted. Nothing starts before the first span of a process, so
a fork inherits neither a thread nor a connection.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.re import parse_env_headers

from imgproc import __version__
from imgproc.core.errors import ImgprocError
from imgproc.core.settings import Settings
from imgproc.core.span_queue import BoundedProcessor, BoundedSession
from imgproc.core.trace_context import TraceContext
from imgproc.core.tracing import Attributes, Kind, Span

NO_SPAN = Span()

log = structlog.get_logger(__name__)

logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it logs each failed batch; `span_queue` logs the first


class OtelTracer:
    """Makes spans; see `tracing.Tracer`. The first span of a process starts the thread that sends them.

    Raises:
        Exception: the SDK cannot use one of the variables that it reads itself.
    """

    def __init__(self, settings: Settings) -> None:
        _provider(settings), _exporter(settings)  # only to raise now what they would raise in a job
        self._settings = settings
        self._lock = threading.Lock()
        self._pid = 0
        self._tracer: trace.Tracer
        self._processor: BoundedProcessor | None = None
        os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()  # another thread may have held it at the fork

    def _tracer_of_process(self) -> trace.Tracer:
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._start()
                    self._pid = os.getpid()
        return self._tracer

    def _start(self) -> None:
        self._tracer, self._processor = trace.NoOpTracer(), None
        try:
            provider = _provider(self._settings)
            self._processor = BoundedProcessor(_exporter(self._settings))
            provider.add_span_processor(self._processor)
            self._tracer = provider.get_tracer("imgproc", __version__)
        except Exception as error:  # noqa: BLE001 - no thread can be started, for one; the work goes on without spans
            log.warning("telemetry_off", extra="otel", error=str(error), detail="This process sends no spans.")

    @contextmanager
    def joined(
        self, parent: TraceContext | None, name: str, *, kind: Kind, seconds_ago: float, attributes: Attributes
    ) -> Iterator[Span]:
        """The first span of this process in the trace of `parent`, or in a new trace."""
        made = self._tracer_of_process().start_span(
            name,
            _remote(parent),
            SpanKind[kind.upper()],
            _present(attributes),
            start_time=time.time_ns() - round(seconds_ago * 1e9),
        )
        with _current(made) as span:
            yield span

    @contextmanager
    def inner(self, name: str, describe: Callable[[], Attributes] | None) -> Iterator[Span]:
        """A span inside the current one; none if that is not recorded."""
        if not trace.get_current_span().is_recording():
            yield NO_SPAN
            return
        made = self._tracer_of_process().start_span(name, attributes=_present(describe()) if describe else None)
        with _current(made) as span:
            yield span

    def past(self, name: str, *, seconds: float) -> None:
        """A span inside the current one that ends now."""
        if trace.get_current_span().is_recording():
            now = time.time_ns()
            self._tracer_of_process().start_span(name, start_time=now - round(seconds * 1e9)).end(now)

    def flush(self, seconds: float) -> None:
        """Send what is waiting, for at most `seconds`."""
        if self._processor is not None and self._pid == os.getpid():
            self._processor.flush(seconds)


class OtelSpan(Span):
    """A span that is recorded, if the trace is sampled."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        if context.is_valid:
            self.context = TraceContext(
                trace.format_trace_id(context.trace_id),
                trace.format_span_id(context.span_id),
                sampled=context.trace_flags.sampled,
            )

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(_present(attributes))

    def fail(self, code: str) -> None:
        """Mark the step as failed: by a code, because messages quote URLs and values of files."""
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR))


@contextmanager
def _current(made: trace.Span) -> Iterator[OtelSpan]:
    """Make a span the current one, and end it. An exception of the body marks it as failed."""
    span = OtelSpan(made)
    with trace.use_span(made, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except BaseException as error:
            span.fail(error.code if isinstance(error, ImgprocError) else type(error).__name__)
            raise


def _exporter(settings: Settings) -> OTLPSpanExporter:
    endpoint = settings.otel_exporter_otlp_traces_endpoint
    endpoint = endpoint or f"{(settings.otel_exporter_otlp_endpoint or '').rstrip('/')}/v1/traces"
    headers = parse_env_headers(settings.otel_exporter_otlp_headers or "", liberal=True)
    return OTLPSpanExporter(endpoint, headers=headers, session=BoundedSession())


def _provider(settings: Settings) -> TracerProvider:
    # OTEL_RESOURCE_ATTRIBUTES, which the SDK reads, may name the service too.
    resource = Resource({"service.name": "imgproc"}).merge(Resource(OTELResourceDetector().detect().attributes))
    own = {"service.version": __version__, "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
    if settings.otel_service_name:
        own["service.name"] = settings.otel_service_name
    resource = Resource.create().merge(resource).merge(Resource(own))
    return TracerProvider(sampler=_sampler(settings), resource=resource, shutdown_on_exit=False)


def _sampler(settings: Settings) -> Sampler:
    """The sampler of the standard name (OpenTelemetry specification, General SDK Configuration)."""
    name = settings.otel_traces_sampler
    roots = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(settings.otel_traces_sampler_arg),
    }
    root = roots[name.removeprefix("parentbased_")]
    return ParentBased(root) if name.startswith("parentbased_") else root


def _remote(parent: TraceContext | None) -> Context:
    """The context of a span of another process; an empty one without a parent."""
    if parent is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    span = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(NonRecordingSpan(span), Context())


def _present(attributes: Attributes) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value is not None}
