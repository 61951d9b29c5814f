"""Errors as `application/problem+json` (RFC 9457), with a stable `code` and, for validation, `errors`."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import urljoin

import structlog
from apiflask import APIFlask, HTTPError
from flask import Response, request
from flask_limiter import RateLimitExceeded
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, SecurityError
from werkzeug.http import HTTP_STATUS_CODES

from imgproc.api import rate_limits
from imgproc.core.error_reports import report
from imgproc.core.errors import (
    ERROR_PAGES,
    InfrastructureError,
    InvalidCsv,
    InvalidInput,
    InvalidOption,
    NotAuthenticated,
    NotPermitted,
    QuotaExceeded,
    TooManyPings,
    TooManyUploads,
    UnsupportedFile,
)
from imgproc.core.problem_details import FILE_TOO_LARGE, SERVER_FAILED
from imgproc.db.timeouts import is_outage
from imgproc.journey.accept import KeyReused
from imgproc.journey.outage import is_exhausted

QUOTA_RETRY_AFTER = 60  # seconds; by then some request may have ended
RETRY_AFTER_OF = {  # seconds; by then some large file has been read, and a silent receiver has been given up
    TooManyUploads: 10,
    TooManyPings: 15,
}
PROBLEM_TYPE = "application/problem+json"
MAX_HOST_CHARS = 253 + len(":65535")
RETRY_AFTER = "5"  # seconds, if a service is away
STATUS_OF: dict[type[InvalidInput], int] = {UnsupportedFile: 415, KeyReused: 409}
CODE_OF = {404: "not_found", 405: "method_not_allowed", 413: "file_too_large", 500: "internal_error"}
DETAIL_OF = {
    404: "There is nothing at this address; /docs lists the API.",
    413: FILE_TOO_LARGE,
    500: SERVER_FAILED,
}
CURL_UPLOADS = " To upload with curl -T, add -X POST and write /api/upload without a slash at its end."

log = structlog.get_logger(__name__)


class Problem(Exception):
    """An error that a view responds with."""

    def __init__(self, status: int, code: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.members = status, code, detail, members


def problem(status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """A problem response. Its type is the address of the page about the code; `members` are added."""
    title = HTTP_STATUS_CODES.get(status, "Error")
    body = {"type": _page_about(code), "title": title, "status": status, "detail": detail, "code": code, **members}
    text = json.dumps(body, ensure_ascii=False)
    return Response(text, status=status, content_type=PROBLEM_TYPE, headers=headers)


def _page_about(code: str) -> str:
    """The URL of the page; without a host where the call names none, or one that is not ours."""
    path = f"{ERROR_PAGES}{code}"
    try:
        is_usable = 0 < len(request.host) <= MAX_HOST_CHARS and code != "untrusted_host"
    except SecurityError:
        is_usable = False
    return urljoin(request.host_url, path) if is_usable else path


def init_app(app: APIFlask) -> None:
    """Turn every error that a view may raise into a problem. Replaces APIFlask's own handlers."""
    app.register_error_handler(Problem, lambda error: problem(error.status, error.code, error.detail, **error.members))
    app.register_error_handler(InvalidInput, _invalid_input)
    app.register_error_handler(NotAuthenticated, _not_authenticated)
    app.register_error_handler(NotPermitted, _not_permitted)
    app.register_error_handler(RateLimitExceeded, _rate_limited)
    app.register_error_handler(QuotaExceeded, _quota_exceeded)
    app.register_error_handler(InfrastructureError, lambda error: _unavailable(error.code, error.detail))
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(MemoryError, _out_of_memory)
    app.register_error_handler(OSError, _out_of_resources)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(HTTPError, _invalid_fields)
    app.before_request(_require_host)


def _require_host() -> None:
    """Refuse an invalid Host (RFC 9112, 3.2), because the links of a response are made from it.

    A name has up to 253 characters (RFC 1035); a longer one would make every link and webhook as long.
    """
    if not request.host or len(request.host) > MAX_HOST_CHARS:
        raise Problem(400, "bad_request", "The Host header is not a valid host name; send the name of this server.")


def _invalid_input(error: InvalidInput) -> Response:
    members: dict[str, Any] = {}
    if isinstance(error, InvalidCsv):
        members["errors"] = [fault.as_dict() for fault in error.errors]
        if error.truncated:
            members["errorsTruncated"] = True
    if isinstance(error, InvalidOption):
        members["errors"] = [{"option": error.option, "code": error.code, "detail": error.detail}]
    return problem(STATUS_OF.get(type(error), 422), error.code, error.detail, **members)


def _not_authenticated(error: NotAuthenticated) -> Response:
    """Send a challenge (RFC 6750, 3) that names the scheme, and the error if the key is invalid."""
    challenge = 'Bearer realm="imgproc"'
    if error.code == "invalid_api_key":
        challenge += ', error="invalid_token"'
    return problem(401, error.code, error.detail, headers={"WWW-Authenticate": challenge})


def _not_permitted(error: NotPermitted) -> Response:
    """Refuse with 403; the challenge names a scope that is too small (RFC 6750, 3.1)."""
    is_scope = error.code == NotPermitted.code
    challenge = {"WWW-Authenticate": 'Bearer realm="imgproc", error="insufficient_scope"'} if is_scope else None
    return problem(403, error.code, error.detail, headers=challenge)


def _rate_limited(error: RateLimitExceeded) -> Response:
    detail, seconds = rate_limits.explain(error)
    return _too_many("rate_limited", detail, seconds=seconds)


def _quota_exceeded(error: QuotaExceeded) -> Response:
    return _too_many(error.code, error.detail, seconds=RETRY_AFTER_OF.get(type(error), QUOTA_RETRY_AFTER))


def _too_many(code: str, detail: str, *, seconds: int) -> Response:
    return problem(429, code, detail, headers={"Retry-After": str(seconds)})


def _unavailable(code: str, detail: str) -> Response:
    return problem(503, code, f"{detail} Try again in a few seconds.", headers={"Retry-After": RETRY_AFTER})


def _database_error(error: DBAPIError) -> Response:
    if not is_outage(error):
        raise error
    log.warning("call_refused", error=str(error.orig))
    return _unavailable("database_unavailable", "The database cannot be reached.")


def _out_of_memory(error: MemoryError) -> Response:
    """Respond 503: the process has reached WEB_MEMORY_LIMIT. What this call used is free again."""
    log.warning("memory_exhausted", path=request.path, error=str(error))
    return _unavailable("out_of_memory", "The server has no memory left for this call; a smaller file needs less.")


def _out_of_resources(error: OSError) -> Response:
    """Respond 503 if the disk for uploads is full or no file descriptor is left; raise any other error again."""
    if not is_exhausted(error):
        raise error
    log.error("resources_exhausted", path=request.path, error=str(error))
    return _unavailable("out_of_resources", "The server has no disk space or file descriptors left for this upload.")


def _http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    detail = DETAIL_OF.get(status) or error.description or "The server cannot answer this call."
    if isinstance(error, MethodNotAllowed):
        detail = (
            f"This address does not take {request.method}; it takes {', '.join(sorted(error.valid_methods or ()))}."
        )
    if status in {404, 405} and (request.method == "PUT" or request.path.startswith("/api/upload/")):
        detail += CURL_UPLOADS
    headers = {key: value for key, value in error.get_headers() if key in {"Allow", "Retry-After"}}
    if status == 500:
        error_id = secrets.token_hex(6)
        log.error("call_failed", error_id=error_id, path=request.path, method=request.method)
        route = request.url_rule.rule if request.url_rule else ""
        report(getattr(error, "original_exception", None) or error, error_id=error_id, route=route)
        return problem(status, CODE_OF[status], detail, headers=headers, errorId=error_id)
    return problem(status, CODE_OF.get(status, "bad_request"), detail, headers=headers)


# What marshmallow says, with the remedy.
_REMEDIES = {
    "Missing data for required field.": "This is missing; give it.",
    "Field may not be null.": "Give a value, not null.",
    "Not a valid string.": "Give a text, in quotes.",
    "Unknown field.": "There is no such field; leave it out.",
    "Invalid input type.": "Give a JSON object, in braces.",
}


def _invalid_fields(error: HTTPError) -> Response:
    """Explain what a schema refused. APIFlask gives `{location: {field: [messages]}}`, with `_schema` for the whole."""
    fields = {
        "body" if name == "_schema" else name: " ".join(_REMEDIES.get(text, text) for text in texts)
        for found in dict(error.detail).values()
        for name, texts in found.items()
    }
    errors = [{"option": name, "code": "invalid_option", "detail": text} for name, text in fields.items()]
    return problem(422, "invalid_option", " ".join(f"{name}: {text}" for name, text in fields.items()), errors=errors)
