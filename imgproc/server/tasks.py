"""What a thread does with a whole request: call the app, or respond that the request is refused."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error

from imgproc.core.errors import ERROR_PAGES, FILE_TOO_LARGE, SERVER_FAILED

CODE_OF = {
    408: "too_slow",
    413: "file_too_large",
    431: "headers_too_large",
    500: "internal_error",
    503: "server_busy",
}
DETAIL_OF = {
    413: FILE_TOO_LARGE,
    431: "The headers of the request are too large; send fewer or smaller ones, such as cookies.",
    500: SERVER_FAILED,
}
HEADING_OF = {
    408: "The upload came too slowly",
    413: "The file is too large",
    431: "The headers are too large",
    500: "Something went wrong on the server",
    503: "The server is busy",
}
RETRY_AFTER = "5"  # seconds
PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{title} · imgproc</title>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="icon" type="image/svg+xml" href="/static/console/icon.svg">
  <link rel="stylesheet" href="/static/console/console.css">
</head>
<body>
  <main>
    <div class="narrow stack">
      <h1>{title}</h1>
      <p>{detail}</p>
      <p><a class="button button-primary" href="/">Go to the start page</a></p>
    </div>
  </main>
</body>
</html>
"""


class TooSlow(Error):
    """The client sends too slowly."""

    code = 408
    reason = "Request Timeout"


class TooBusy(Error):
    """Too many bytes of uploads are being received."""

    code = 503
    reason = "Service Unavailable"


class NoRoom(Error):
    """The disk for request bodies is full."""

    code = 503
    reason = "Service Unavailable"


class AppTask(WSGITask):
    """Calls the app."""

    def set_close_on_finish(self) -> None:
        """Keep the connection after a response without a body, such as 304. waitress closes it as it has no length."""
        closing = self.request.connection_close or self.version == "1.0"
        if self.has_body or closing:
            super().set_close_on_finish()


class ProblemTask(ErrorTask):
    """Responds with a problem (RFC 9457), then closes, because the start of the next request is not known."""

    def execute(self) -> None:
        """Write the response."""
        error = self.request.error
        is_page = _wants_page(self.request)
        body = (page(error) if is_page else json.dumps(problem(error))).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "text/html; charset=utf-8" if is_page else "application/problem+json"),
            ("Content-Security-Policy", "default-src 'self'"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ]
        if error.code == TooBusy.code:
            self.response_headers.append(("Retry-After", RETRY_AFTER))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.linger()
        self.write(body)


def problem(error: Error) -> dict[str, Any]:
    """The problem that describes `error`."""
    code = CODE_OF.get(error.code, "bad_request")
    return {
        "type": f"{ERROR_PAGES}{code}",
        "title": error.reason,
        "status": error.code,
        "detail": DETAIL_OF.get(error.code, error.body),
        "code": code,
    }


def _wants_page(request: Any) -> bool:
    """Whether a browser has asked for a page, as forms do; the API answers all with problems."""
    return "text/html" in request.headers.get("ACCEPT", "") and not (request.path or "").startswith("/api/")


def page(error: Error) -> str:
    """The problem as a page in the style of the console. The app, which has the templates, never sees this request."""
    told = problem(error)
    heading = HEADING_OF.get(error.code, error.reason)
    return PAGE.format(title=escape(heading), detail=escape(str(told["detail"])))
