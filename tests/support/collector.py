"""A collector of traces: it takes OTLP over HTTP, and keeps the spans in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.holding_server import HoldingServer
from tests.support.http_server import Answer, Call


@dataclass(frozen=True)
class Received:
    """One span: ids in hexadecimal, times in nanoseconds since 1970, the attributes of its process under `resource`."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    failed: bool
    attributes: dict[str, str | int]
    resource: dict[str, str | int]


class Collector(HoldingServer):
    """Keeps the bodies and headers of calls, and the spans in them."""

    def __init__(self) -> None:
        super().__init__(Answer(200))
        self.url = ""
        self.calls: list[Call] = []

    def keep(self, call: Call) -> None:
        """Keep a call."""
        self.calls.append(call)

    @property
    def spans(self) -> list[Received]:
        """All spans of all calls, in the order in which they began."""
        return sorted((span for call in self.calls for span in _spans(call.body)), key=lambda span: span.start)

    def named(self, name: str) -> list[Received]:
        """The spans of that name."""
        return [span for span in self.spans if span.name == name]


@contextmanager
def open_collector() -> Iterator[Collector]:
    """A collector on loopback."""
    collector = Collector()
    with collector.opened() as collector.url:
        yield collector


def _spans(body: bytes) -> Iterator[Received]:
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _values(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Received(
                    span.name,
                    span.kind,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code == Status.STATUS_CODE_ERROR,
                    _values(span.attributes),
                    resource,
                )


def _values(pairs: Iterable[KeyValue]) -> dict[str, str | int]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "") for pair in pairs}
