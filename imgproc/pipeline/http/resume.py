"""Continues a large download where it broke off, if the host can prove that the rest belongs to the same picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from urllib3 import BaseHTTPResponse

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http.body import is_compressed
from imgproc.pipeline.http.validators import Validators

LEAST_BYTES = 1024 * 1024  # Less is downloaded again as quickly.
STRONG_AGE = 60  # seconds that a Last-Modified must be old to be a strong validator (RFC 9110, 8.8.2.2)

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LENGTH = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Beginning:
    """The first bytes of a picture of `total` bytes, its strong validator, and why the rest is missing."""

    data: bytes
    total: int
    validator: str
    error: DownloadError

    @property
    def headers(self) -> dict[str, str]:
        """The headers that request the rest, or the whole picture if it has changed (RFC 9110, 13.1.5 and 14.2)."""
        return {"Range": f"bytes={len(self.data)}-", "If-Range": self.validator}


def beginning(response: BaseHTTPResponse, data: bytes, error: DownloadError, *, found: Validators) -> Beginning | None:
    """What a later request needs to continue `response`, which broke off after `data`; None if it cannot continue."""
    total = content_range(response)[2] or _announced(response)
    validator = _strong(response, found)
    if not LEAST_BYTES <= len(data) < total or not validator:
        return None
    if response.headers.get("Accept-Ranges", "bytes").strip().lower() == "none":
        return None
    return Beginning(data, total, validator, error)


def continues(response: BaseHTTPResponse, begun: Beginning) -> bool:
    """Whether the body of `response`, an answer to the headers of `begun`, is announced as exactly the rest of it."""
    rest = begun.total - len(begun.data)
    expected = (len(begun.data), begun.total - 1, begun.total)
    return (
        response.status == HTTPStatus.PARTIAL_CONTENT
        and content_range(response) == expected
        and response.length_remaining in {rest, None}
        and not is_compressed(response)
    )


def content_range(response: BaseHTTPResponse) -> tuple[int, int, int]:
    """The first and last byte of a partial answer, and how many the whole has; the last is 0 if it does not say."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if response.status != HTTPStatus.PARTIAL_CONTENT or not found:
        return 0, 0, 0
    return int(found[1]), int(found[2]), int(found[3])


def _announced(response: BaseHTTPResponse) -> int:
    length = response.headers.get("Content-Length", "").partition(",")[0].strip()
    return int(length) if _LENGTH.fullmatch(length) and not is_compressed(response) else 0


def _strong(response: BaseHTTPResponse, found: Validators) -> str:
    if found.etag and not found.etag.startswith("W/"):
        return found.etag
    try:
        modified, sent = (parsedate_to_datetime(date) for date in (found.last_modified, response.headers["Date"]))
        is_strong = (sent - modified).total_seconds() >= STRONG_AGE
    except (KeyError, ValueError, TypeError):
        return ""
    return found.last_modified if is_strong else ""
