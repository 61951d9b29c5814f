"""What stands between strangers and the views: whose word about the caller counts, and what browsers are told.

A name that another site owns may lead a browser here after it led there (DNS rebinding): its pages then count as ours.
So on loopback we answer to names of loopback alone, and elsewhere to those of TRUSTED_HOSTS where it is set.

A browser sends forms of any site to us, and where keys are optional, or the address alone lets a caller in, these would
be accepted. So a change that a browser sends from a page of another site is refused, as its own headers tell.
"""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.exceptions import RequestEntityTooLarge, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from imgproc.api.problems import Problem, problem
from imgproc.core.config import FORM_OVERHEAD, Settings
from imgproc.core.hosts import bracketed, is_loopback

LOOPBACK_HOSTS = ("localhost", "127.0.0.1")  # health checks of the container ask by these
HEADERS = {
    # Swagger UI draws its icons from data: URLs; nothing runs or is styled inline.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def init_app(app: Flask, settings: Settings) -> None:
    """Believe as many proxies as there are, answer to our own names alone, and say what browsers may do."""
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        proxied = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)
        app.wsgi_app = proxied  # type: ignore[method-assign]  # as Flask's documentation has it
    if settings.trusted_hosts:
        app.config["TRUSTED_HOSTS"] = [*settings.trusted_hosts, *LOOPBACK_HOSTS]
    elif is_loopback(bracketed(settings.host)) and not settings.trusted_proxies:
        app.before_request(_refuse_names_of_others)
    app.register_error_handler(SecurityError, lambda _error: _untrusted_host())
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes + FORM_OVERHEAD
    app.before_request(_refuse_other_sites)
    app.before_request(_refuse_large_bodies)
    app.after_request(_harden)


def _refuse_names_of_others() -> Response | None:
    """Refuse a Host that may mean another machine: whoever owns the name could have it lead a browser here."""
    return None if is_loopback(request.host) else _untrusted_host()


def _untrusted_host() -> Response:
    detail = "This server does not answer to this host name; call it by another, or name this one in TRUSTED_HOSTS."
    return problem(400, "untrusted_host", detail)


def _refuse_other_sites() -> None:
    """Cross-site request forgery, as Fetch Metadata (W3C) or, from older browsers, Origin (RFC 6454) gives it away.

    What is no browser sends neither, and is not concerned.

    Raises:
        Problem: `cross_site`.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = site in {"same-origin", "none"} if site else not origin or origin.partition("://")[2] == request.host
    if not own:
        detail = "Your browser sent this from a page of another site; call the API from your own server, or from here."
        raise Problem(403, "cross_site", detail)


def _refuse_large_bodies() -> None:
    """Before a byte of it is read, and whether or not the view would read it. Chunked bodies are counted as they come.

    Raises:
        RequestEntityTooLarge: the body says that it is above the cap.
    """
    if (request.content_length or 0) > (request.max_content_length or 0):
        raise RequestEntityTooLarge


def _harden(response: Response) -> Response:
    """What a view says by itself stands."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")  # one caller's answer is not for the next
    return response
