"""Assertions and constants that the API's tests share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.http import HTTP_STATUS_CODES

AppFactory = Callable[..., Flask]
UNREACHABLE = "127.0.0.1:1"  # no server listens there
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that the response is an RFC 9457 problem with this status and code; its body."""
    assert (response.status_code, response.content_type) == (status, "application/problem+json"), response.text
    body: dict[str, Any] = response.json
    assert (body["status"], body["code"]) == (status, code), body
    assert (urlsplit(body["type"]).path, body["title"]) == (f"/docs/errors/{code}", HTTP_STATUS_CODES[status])
    assert body["detail"].endswith(".")
    assert "Traceback" not in response.text
    return body


def unavailable(response: Any, code: str) -> None:
    """Assert that the response is a 503 with `Retry-After`."""
    problem(response, 503, code)
    assert int(response.headers["Retry-After"]) > 0
