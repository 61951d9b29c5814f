"""The queue of spans that wait for the collector: bounded, counted, and sent by a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import requests
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from imgproc.core import metrics

QUEUE = 2048  # spans that wait in a process
BATCH = 512  # spans sent at a time
BATCH_SECONDS = 5  # between two batches
ANSWER_BYTES = 64 * 1024  # that are read of an answer; ours are about ten
ANSWER_SECONDS = 5.0  # for them

log = structlog.get_logger(__name__)


class BoundedProcessor(BatchSpanProcessor):
    """The SDK's queue and thread. The SDK drops without a count, so a span without room is not passed on to it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._unsent = 0
        self._count_lock = threading.Lock()
        self._is_away = self._has_given_up = False
        metrics.start_at_zero(metrics.SPANS, "sent", "failed", "dropped")
        super().__init__(
            _CountingExporter(exporter, self._count),
            max_queue_size=QUEUE,
            max_export_batch_size=BATCH,
            schedule_delay_millis=BATCH_SECONDS * 1000,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that has ended, or drop it."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        with self._count_lock:
            has_room = self._unsent < QUEUE
            self._unsent += has_room
        if has_room:
            super().on_end(span)
        else:
            metrics.SPANS.labels("dropped").inc()

    def flush(self, seconds: float) -> None:
        """Send the spans that wait. Those left after `seconds` count as dropped: the process ends."""
        sender = threading.Thread(target=self.force_flush, name="span-flush", daemon=True)
        sender.start()
        sender.join(seconds)
        with self._count_lock:
            left, self._has_given_up = self._unsent, self._unsent > 0
        metrics.SPANS.labels("dropped").inc(left)

    def _count(self, spans: int, *, sent: bool) -> None:
        with self._count_lock:
            self._unsent -= spans
            if self._has_given_up:
                return
        metrics.SPANS.labels("sent" if sent else "failed").inc(spans)
        if sent == self._is_away:
            self._is_away = not sent
            if sent:
                log.info("traces_resumed")
            else:
                log.warning("traces_suspended", detail="The collector takes no spans; work goes on without them.")


class _CountingExporter(SpanExporter):
    """Tells how each batch ended."""

    def __init__(self, exporter: SpanExporter, count: Callable[..., None]) -> None:
        self._exporter = exporter
        self._count = count

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._count(len(spans), sent=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class BoundedSession(requests.Session):
    """Reads only the beginning of an answer, for a bounded time, because a collector could send without end."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a batch. Returns the answer without its body."""
        response = super().send(request, **options | {"stream": True})
        give_up, size = time.monotonic() + ANSWER_SECONDS, 0
        while piece := response.raw.read1(ANSWER_BYTES):
            size += len(piece)
            if size > ANSWER_BYTES or time.monotonic() > give_up:
                response.close()
                break
        response._content = b""  # nothing reads it
        return response
