"""Measures, traces and logs every call. Lines logged meanwhile carry its trace and the id of its request."""

from __future__ import annotations

import time
from contextlib import ExitStack

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from imgproc.core import metrics, tracing
from imgproc.core.config import Settings

UNKNOWN = "unknown"  # the route of addresses that do not exist, which strangers choose
SECRET_PATHS = {"outputs.get_output"}  # whoever knows the key of a CSV can read it
CHANGES = {"POST", "DELETE"}  # the methods whose calls have spans; polls would be most of a trace
METHODS = {"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"}

log = structlog.get_logger(__name__)


def init_app(app: Flask, settings: Settings) -> None:
    """Register the measurement, which must come before every check, so that refused calls count as well."""
    app.before_request(_begin)
    app.after_request(_log if settings.access_log else _measure)
    app.teardown_request(_end)


def _begin() -> None:
    """Note when the call began: its whole body has arrived by then."""
    g.began = time.monotonic()
    clear_contextvars()
    g.trace = ExitStack()
    name, attributes = f"{_method()} {_route()}", {"http.request.method": _method(), "http.route": _route()}
    g.span = g.trace.enter_context(
        tracing.joined(
            request.headers.get("traceparent"),
            name,
            kind="server",
            attributes=attributes,
            recorded=request.method in CHANGES,
        )
    )
    if request_id := (request.view_args or {}).get("request_id"):
        bind_contextvars(request_id=request_id)


def _measure(response: Response) -> Response:
    metrics.HTTP.labels(_method(), _route(), str(response.status_code)).observe(_seconds())
    if "span" in g:
        g.span.note({"http.response.status_code": response.status_code, "imgproc.request_id": _request_id()})
        if response.status_code >= 500:
            g.span.fail(str(response.status_code))
    return response


def _log(response: Response) -> Response:
    """Measure the call, and log it: without its query, which may hold anything, and without its body."""
    caller = g.get("caller")
    log.info(
        "call_answered",
        method=request.method,
        path=_route() if request.endpoint in SECRET_PATHS else request.path,
        status=response.status_code,
        ms=round(_seconds() * 1000, 1),
        bytes=response.content_length,
        address=request.remote_addr,
        key=caller.owner if caller and caller.owner else None,
        agent=request.user_agent.string[:200],
    )
    return _measure(response)


def _end(_error: BaseException | None) -> None:
    if "trace" in g:
        g.trace.close()
    clear_contextvars()


def _request_id() -> str | None:
    """The request that the call names, or has made."""
    found: str | None = get_contextvars().get("request_id")
    return found


def _method() -> str:
    return request.method if request.method in METHODS else UNKNOWN


def _route() -> str:
    return request.url_rule.rule if request.url_rule else UNKNOWN


def _seconds() -> float:
    return time.monotonic() - g.began if "began" in g else 0.0
