"""Tokens in forms against cross-site requests: a form of another site does not know the token of this browser.

The token is an HMAC of a secret that only a cookie of the browser has: that of its session or, before the sign-in and
where none is needed, one for this purpose. `edge` refuses forms of other sites as well, by the browser's own headers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from flask import Flask, Response, request

from imgproc.api import auth, sessions
from imgproc.core.errors import NotPermitted

COOKIE = "imgproc_form"
FIELD = "csrf_token"
MADE_HERE = "imgproc.form_secret"  # in the environ of a request
READS = {"GET", "HEAD", "OPTIONS"}
MAX_SIGN_IN_BYTES = 64 * 1024
REFUSAL = (
    "This form has no valid token: the page is too old, or your browser keeps no cookies. Load the page again, then "
    "send the form."
)


def init_app(app: Flask) -> None:
    """Give templates the token, and keep the cookie that it comes from."""
    app.jinja_env.globals["csrf_token"] = token
    app.after_request(_keep)


def token() -> str:
    """The token for the forms of this page."""
    return _token(_known_secret() or _new_secret())


def check() -> None:
    """Refuse a form without its token. Calls with a key in a header pass: no browser adds one by itself.

    A caller without any cookie passes where no sign-in is needed, because then no cookie speaks for them.

    Raises:
        NotPermitted: `invalid_form_token`.
    """
    if request.method in READS or request.endpoint is None or not auth.is_page():
        return
    if request.endpoint == auth.SIGN_IN:
        request.max_content_length = MAX_SIGN_IN_BYTES
    caller, secret = auth.caller(), _known_secret()
    if caller.source == "header":
        return
    if secret is None and caller.source == "none" and request.endpoint not in auth.SIGN_IN_PAGES:
        return
    given = request.form.get(FIELD, "")
    if secret is None or not hmac.compare_digest(given.encode(), _token(secret).encode()):
        raise NotPermitted(REFUSAL, code="invalid_form_token")


def _known_secret() -> str | None:
    """The secret that the browser's cookies hold."""
    return sessions.token() or request.cookies.get(sessions.cookie_name(COOKIE)) or None


def _new_secret() -> str:
    return str(request.environ.setdefault(MADE_HERE, secrets.token_urlsafe(sessions.TOKEN_BYTES)))


def _token(secret: str) -> str:
    return hmac.new(secret.encode(), b"imgproc form", hashlib.sha256).hexdigest()


def _keep(response: Response) -> Response:
    """Set the cookie of a new secret. No cache, not even the browser's, keeps a page of a known user."""
    if new := request.environ.get(MADE_HERE):
        sessions.set_cookie(response, COOKIE, new)
    if auth.caller().source != "none" and response.mimetype == "text/html":
        response.headers["Cache-Control"] = "private, no-store"
    return response
