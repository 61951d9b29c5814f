"""An answer that redirects -> the URL it leads to."""

from __future__ import annotations

import re

from urllib3 import BaseHTTPResponse
from urllib3.util import Url

from imgproc.core.errors import DownloadError
from imgproc.pipeline.http.urls import PORTS, join

MAX_REDIRECTS = 10
REDIRECTS = {301, 302, 303, 307, 308}

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
    if location is None:
        return None
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
