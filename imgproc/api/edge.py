"""Checks before the views: trusted proxies and host names, cross-site requests, body size, security headers.

Another site may point its own name at this server (DNS rebinding), and its pages then share our origin. So a server on
loopback answers only to names of loopback, and others only to TRUSTED_HOSTS, if it is set.

A browser sends forms of any site to us. If keys are optional, or the network alone protects the server, these would be
accepted. So changes that a browser sends from a page of another site are refused, by the browser's own headers.
"""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.exceptions import RequestEntityTooLarge, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from imgproc.api.problems import Problem, problem
from imgproc.core.config import FORM_OVERHEAD, Settings
from imgproc.core.hosts import bracketed, is_loopback

LOOPBACK_HOSTS = ("localhost", "127.0.0.1")  # used by the health checks of containers
HEADERS = {
    # Swagger UI has icons in data: URLs. No script or style is inline.
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
    """Register the checks and the security headers."""
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        proxied = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)
        app.wsgi_app = proxied  # type: ignore[method-assign]  # as Flask's documentation has it
    if settings.trusted_hosts:
        app.config["TRUSTED_HOSTS"] = [*settings.trusted_hosts, *LOOPBACK_HOSTS]
    elif is_loopback(bracketed(settings.host)) and not settings.trusted_proxies:
        app.before_request(_refuse_other_names)
    app.register_error_handler(SecurityError, lambda _error: _untrusted_host())
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes + FORM_OVERHEAD
    app.before_request(_refuse_other_sites)
    app.before_request(_refuse_large_bodies)
    app.after_request(_harden)


def _refuse_other_names() -> Response | None:
    """Refuse a Host that is not loopback: the owner of the name could point it at this machine."""
    return None if is_loopback(request.host) else _untrusted_host()


def _untrusted_host() -> Response:
    detail = "This server does not answer to this host name; call it by another, or name this one in TRUSTED_HOSTS."
    return problem(400, "untrusted_host", detail)


def _refuse_other_sites() -> None:
    """Refuse changes sent from another site, by Fetch Metadata (W3C) or, in older browsers, Origin (RFC 6454).

    Clients other than browsers send neither header and pass.

    Raises:
        Problem: `cross_site`.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    is_own_origin = not origin or origin.partition("://")[2] == request.host
    is_own = site in {"same-origin", "none"} if site else is_own_origin
    if not is_own:
        detail = "Your browser sent this from a page of another site; call the API from your own server instead."
        raise Problem(403, "cross_site", detail)


def _refuse_large_bodies() -> None:
    """Refuse a body by its Content-Length before it is read. Chunked bodies are counted while they are read.

    Raises:
        RequestEntityTooLarge: the Content-Length is above the limit.
    """
    if (request.content_length or 0) > (request.max_content_length or 0):
        raise RequestEntityTooLarge


def _harden(response: Response) -> Response:
    """Add the headers that the view has not set."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")  # responses belong to one caller
    return response
