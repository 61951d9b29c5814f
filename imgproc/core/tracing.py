"""Follows a request from its upload to its webhook: the trace id in every log line, and spans if a collector is set.

This module loads nothing of OpenTelemetry. `otel` does, and is only loaded where OTEL_EXPORTER_OTLP_ENDPOINT is set.
Attributes are ids, codes and names of hosts; never URLs, names of products or other values of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Literal, Protocol

from imgproc.core.trace_context import TraceContext, begin, parse

Attributes = Mapping[str, str | int | None]
Kind = Literal["server", "consumer", "internal"]

ALL_ROWS = 500  # of a file, whose products all have spans


class Span:
    """A step of a request. This one records nothing."""

    context: TraceContext | None = None

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, code: str) -> None:
        """Mark the step as failed."""


class Tracer(Protocol):
    """What records spans; see `otel`."""

    def joined(
        self, parent: TraceContext | None, name: str, *, kind: Kind, seconds_ago: float, attributes: Attributes
    ) -> AbstractContextManager[Span]:
        """The first span of this process in the trace of `parent`, or in a new trace."""

    def inner(self, name: str, describe: Callable[[], Attributes] | None) -> AbstractContextManager[Span]:
        """A span inside the current one; none if that is not recorded."""

    def past(self, name: str, *, seconds: float) -> None:
        """A span inside the current one that ends now."""

    def flush(self, seconds: float) -> None:
        """Send what is waiting, for at most `seconds`."""


_tracer: Tracer | None = None
_current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
_NO_SPAN = nullcontext(Span())


def use(tracer: Tracer | None) -> None:
    """Record spans with `tracer` from now on, or none."""
    global _tracer  # noqa: PLW0603 - a process has one
    _tracer = tracer


def span(name: str, describe: Callable[[], Attributes] | None = None) -> AbstractContextManager[Span]:
    """Record the body as a step of the current one. `describe` gives its attributes, and is only called if recorded."""
    return _NO_SPAN if _tracer is None else _tracer.inner(name, describe)


def past_span(name: str, *, seconds: float) -> None:
    """Record a step that took `seconds` and ends now."""
    if _tracer is not None:
        _tracer.past(name, seconds=seconds)


@contextmanager
def joined(
    traceparent: str | None,
    name: str,
    *,
    kind: Kind = "consumer",
    seconds_ago: float = 0.0,
    attributes: Attributes,
    recorded: bool = True,
) -> Iterator[Span]:
    """Continue a trace, or begin one. Log lines carry its id, also after the body, until the ids are cleared.

    The span begins `seconds_ago`. Without a tracer, or if it is not `recorded`, the trace has no span here.
    """
    parent = parse(traceparent)
    opened: AbstractContextManager[Span] = _NO_SPAN
    if _tracer is not None and recorded:
        opened = _tracer.joined(parent, name, kind=kind, seconds_ago=seconds_ago, attributes=attributes)
    with opened as made:
        context = made.context or parent or begin()
        # Loaded here, because a program that decodes one picture has no log.
        from structlog.contextvars import bind_contextvars  # noqa: PLC0415

        bind_contextvars(trace_id=context.trace_id)
        token = _current.set(context)
        try:
            yield made
        finally:
            _current.reset(token)


def traceparent() -> str | None:
    """The header that continues the current trace elsewhere; None outside of any."""
    context = _current.get()
    return None if context is None else str(context)


def trace_id_of(traceparent: str | None) -> str | None:
    """The id for log lines about a request that stored this header."""
    context = parse(traceparent)
    return None if context is None else context.trace_id


def is_recorded(row: int) -> bool:
    """Whether the product of this row of a file has spans: the first 500, then 90 for each further digit.

    So the trace of a million rows has the spans of 820 products, and a collector takes it.
    """
    return row <= ALL_ROWS or row % 10 ** (len(str(row)) - 2) == 0


def flush(seconds: float) -> None:
    """Send the spans that are waiting, for at most `seconds`; the rest is dropped and counted."""
    if _tracer is not None:
        _tracer.flush(seconds)
