"""The cookies of one download (RFC 6265), for hosts that set one and redirect.

They end with the download, so no other download sees them. No cookie of ours is among them.
"""

from __future__ import annotations

from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast
from urllib.request import Request

from urllib3 import BaseHTTPResponse
from urllib3.util import Url

from imgproc.pipeline.http.addresses import literal_address

MAX_COOKIES = 50  # of one answer
MAX_COOKIE_CHARS = 4096  # RFC 6265, 6.1
MAX_HEADER_CHARS = 8192

# Names below these belong to strangers, so a cookie for all of them is refused, like one for `co.uk`.
SHARED_DOMAINS = frozenset(
    {
        "amazonaws.com",
        "azureedge.net",
        "azurefd.net",
        "azurewebsites.net",
        "blogspot.com",
        "cloudfront.net",
        "core.windows.net",
        "firebaseapp.com",
        "fly.dev",
        "github.io",
        "gitlab.io",
        "googleapis.com",
        "googleusercontent.com",
        "herokuapp.com",
        "myshopify.com",
        "netlify.app",
        "onrender.com",
        "pages.dev",
        "r2.dev",
        "supabase.co",
        "vercel.app",
        "web.app",
        "windows.net",
        "wixsite.com",
        "wordpress.com",
        "workers.dev",
    }
)


class _Policy(DefaultCookiePolicy):
    """Sends and keeps a cookie only for its own host or site; a registry's domain, such as `co.uk`, is no site."""

    def __init__(self) -> None:
        super().__init__(strict_domain=True, rfc2965=False)

    def set_ok_domain(self, cookie: Any, request: Any) -> bool:
        if cookie.domain_specified and literal_address(request.host.partition(":")[0]):
            return False  # An address has no site (RFC 6265, 5.1.3).
        return cookie.domain.lstrip(".").lower() not in SHARED_DOMAINS and super().set_ok_domain(cookie, request)


class _Answer:
    """One `Set-Cookie`, in the form that `http.cookiejar` reads."""

    def __init__(self, cookie: str) -> None:
        self._headers = Message()
        self._headers["Set-Cookie"] = cookie

    def info(self) -> Message:
        return self._headers


class Cookies:
    """The cookies that the hosts of one download have set so far."""

    def __init__(self) -> None:
        self._jar: CookieJar | None = None  # Few downloads need one.

    def keep(self, response: BaseHTTPResponse, url: Url) -> None:
        """Keep the cookies that the answer from `url` sets."""
        for cookie in response.headers.getlist("Set-Cookie")[:MAX_COOKIES]:
            if len(cookie) <= MAX_COOKIE_CHARS:
                self._jar = CookieJar(_Policy()) if self._jar is None else self._jar
                self._jar.extract_cookies(cast("Any", _Answer(cookie)), Request(url.url))  # noqa: S310 - not opened

    def header(self, url: Url) -> dict[str, str]:
        """The `Cookie` header of a request to `url`, if any cookie belongs there."""
        if self._jar is None:
            return {}
        request = Request(url.url)  # noqa: S310 - not opened
        self._jar.add_cookie_header(request)
        cookie = request.get_header("Cookie", "")
        return {"Cookie": cookie} if cookie and len(cookie) <= MAX_HEADER_CHARS else {}
