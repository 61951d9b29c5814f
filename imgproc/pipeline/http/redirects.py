"""An answer that redirects -> the URL it leads to."""

from __future__ import annotations

import html
import re

from urllib3 import BaseHTTPResponse
from urllib3.util import Url

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http.urls import PORTS, join

MAX_REDIRECTS = 10
REDIRECTS = {300, 301, 302, 303, 307, 308}
MAX_REFRESH_SECONDS = 5
MAX_PAGE_BYTES = 65_536  # in which the element stands that refreshes a page

_META = re.compile(rb"<meta\s[^<>]{0,300}?http-equiv\s*=\s*[\"']?refresh[^<>]{0,900}>", re.I)
_CONTENT = re.compile(rb"\bcontent\s*=\s*(?:\"([^\"<>]{1,800})\"|'([^'<>]{1,800})')", re.I)
_REFRESH = re.compile(r"\s*(\d{1,3})(?:\.\d{0,3})?\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"']+)", re.I)

_OTHER_SCHEME = re.compile(r"(?!https?:)([a-z][a-z0-9+.-]{0,20}):", re.I)


def redirect_target(response: BaseHTTPResponse, url: Url) -> str | None:
    """The URL that `response` redirects to, not yet checked; None if it is not a redirect.

    Of several `Location` headers the first that is not empty counts. Bytes beyond ASCII are encoded one by one,
    whatever their charset.

    Raises:
        DownloadError: `invalid_url`: it leads to something other than http(s).
    """
    locations = response.headers.getlist("Location") if response.status in REDIRECTS else []
    location = next(filter(str.strip, locations), None)  # decoded as Latin-1
    return _target(location, url) if location else None


def refresh_target(response: BaseHTTPResponse, body: bytes, url: Url) -> str | None:
    """The URL that an answer without a picture leads to within seconds, by its header or by an element of its page.

    Raises:
        DownloadError: as `redirect_target`.
    """
    tag = _META.search(body[:MAX_PAGE_BYTES])
    content = _CONTENT.search(tag[0]) if tag else None
    in_page = html.unescape((content[1] or content[2]).decode("latin-1")) if content else ""
    found = _REFRESH.match(response.headers.get("Refresh", in_page))
    return _target(found[2], url) if found and int(found[1]) <= MAX_REFRESH_SECONDS else None


def _target(location: str, url: Url) -> str:
    target = join(url, re.sub(r"[\x80-\xff]", lambda byte: f"%{ord(byte[0]):02X}", location))
    if (other := _OTHER_SCHEME.match(target)) and other[1].lower() not in PORTS:
        raise DownloadError(
            f"{url.host} redirects to a {other[1].lower()}: URL; give the http(s) URL of the picture itself.",
            code="invalid_url",
        )
    return target


def too_many_redirects(host: str) -> DownloadError:
    """The error of a URL whose eleventh redirect is at `host`."""
    return DownloadError(
        f"The URL redirects more than {MAX_REDIRECTS} times, at last at {host}; give the one it should end at.",
        code="too_many_redirects",
    )
