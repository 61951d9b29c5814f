"""Reads and writes `traceparent`, the header that names a trace and a span of it (W3C Trace Context)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

MAX_CHARS = 512  # of a header that is read; a later version of the standard may add parts to the 55 of this one
SAMPLED = 0x01

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True)
class TraceContext:
    """A span of a trace, both ids in hexadecimal. `sampled` says that the caller records the trace."""

    trace_id: str
    span_id: str
    sampled: bool = False

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{SAMPLED if self.sampled else 0:02x}"


def parse(header: str | None) -> TraceContext | None:
    """The context that a header names; None if it is missing or invalid (W3C Trace Context, 3.2)."""
    found = _HEADER.fullmatch(header.strip()) if header and len(header) <= MAX_CHARS else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, sampled=bool(int(flags, 16) & SAMPLED))


def begin() -> TraceContext:
    """A new trace, which is not recorded: its id only joins the log lines of one request."""
    return TraceContext(os.urandom(16).hex(), os.urandom(8).hex())
