"""What a thread does with a whole request: call the app, or respond that the request is refused."""

from __future__ import annotations

import json
from typing import Any

from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error

from imgproc.core.errors import FILE_TOO_LARGE, SERVER_FAILED

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
RETRY_AFTER = "5"  # seconds


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
        body = json.dumps(problem(error)).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/problem+json"),
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
    return {
        "type": "about:blank",
        "title": error.reason,
        "status": error.code,
        "detail": DETAIL_OF.get(error.code, error.body),
        "code": CODE_OF.get(error.code, "bad_request"),
    }
