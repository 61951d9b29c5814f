"""What the client raises: the API's own errors (RFC 9457), and the lack of an answer.

ApiError            the API refused a call
  NoAnswer          nothing that speaks for imgproc answered
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

Json = dict[str, Any]

UNREACHABLE = "unreachable"
UNEXPECTED = "unexpected_answer"
OUTAGES = {429, 502, 503, 504}


@dataclass(frozen=True)
class Fault:
    """One thing to change: an option of the call, or a line and a column of the file."""

    code: str
    detail: str
    option: str | None = None
    line: int | None = None
    column: str | None = None

    @property
    def place(self) -> str:
        """Where it is, such as `quality` or `line 3, Product Name`."""
        if self.option:
            return self.option
        return f"line {self.line}, {self.column}" if self.column else f"line {self.line}"


class ApiError(Exception):
    """The API refused a call.

    `code` is stable, so programs should look at it; `detail` says in plain language what to do. `status` is that of
    HTTP, None without an answer. `errors` has each fault of a file or of the options. `retry_after` is in seconds.
    The text is the detail, with a line for each fault that it does not name.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str = UNEXPECTED,
        status: int | None = None,
        errors: tuple[Fault, ...] = (),
        errors_truncated: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail, self.code, self.status = detail, code, status
        self.errors, self.errors_truncated, self.retry_after = errors, errors_truncated, retry_after

    def __str__(self) -> str:
        lines = [f"  {fault.place}: {fault.detail}" for fault in self.errors if not self._says(fault)]
        return "\n".join([self.detail, *lines, *(["  ..."] if self.errors_truncated else [])])

    def _says(self, fault: Fault) -> bool:
        """Whether the detail has the text of this fault: as a part for a fault of an option, else as a whole."""
        return fault.detail in self.detail if fault.option else fault.detail == self.detail


class NoAnswer(ApiError):
    """Nothing answered at the address, or not imgproc: `code` is `unreachable` or `unexpected_answer`."""


def is_outage(error: ApiError) -> bool:
    """Whether the same call may succeed later, because the server is away or busy."""
    return isinstance(error, NoAnswer) or error.status in OUTAGES


def error_of(response: requests.Response) -> ApiError:
    """The error that a response describes."""
    try:
        problem: Json = response.json()
        detail, faults = str(problem.get("detail") or problem["title"]), problem.get("errors", [])
        errors = tuple(_fault(each) for each in faults)
    except (ValueError, KeyError, TypeError, AttributeError):
        return unexpected(response)
    return ApiError(
        detail,
        code=str(problem.get("code", UNEXPECTED)),
        status=response.status_code,
        errors=errors,
        errors_truncated=bool(problem.get("errorsTruncated")),
        retry_after=retry_after(response),
    )


def unexpected(response: requests.Response) -> NoAnswer:
    """The error of an answer that imgproc does not send: the address is that of something else, or a proxy's."""
    said = f"HTTP {response.status_code} {response.reason}"
    if response.is_redirect:
        detail = f"{said} to {response.headers.get('Location')}; call imgproc at its own address."
    else:
        detail = f"{said}; imgproc did not send this, so check the address {_base(response.url)}."
    return NoAnswer(detail, status=response.status_code, retry_after=retry_after(response))


def retry_after(response: requests.Response) -> float | None:
    """The seconds of the header `Retry-After`; None without one, or where it holds a date."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _base(url: str) -> str:
    """The scheme and the host of a URL."""
    return "/".join(url.split("/")[:3])


def _fault(given: Json) -> Fault:
    return Fault(str(given["code"]), str(given["detail"]), given.get("option"), given.get("line"), given.get("column"))
