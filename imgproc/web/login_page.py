"""Signing in with an API key, and out: the key is given once, then the browser has the cookie of a session."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from imgproc.api import api_keys, sessions
from imgproc.web.texts import N_

MAX_PATH_CHARS = 2000
WRONG_KEY = N_(
    "No active key is like this one. Check that you copied it whole: it begins with imgproc_ and has 51 characters. It "
    "may also have expired or been revoked; then ask for another."
)
NO_KEY = N_("Paste your key first.")

blueprint = APIBlueprint("login", __name__, enable_openapi=False)


@blueprint.get("/login")
def show_login() -> Any:
    """The page. A session that has ended is forgotten, and one that goes on can be ended here."""
    signed_in = sessions.holder()
    has_ended = sessions.token() is not None and signed_in is None
    if has_ended:
        sessions.ignore()
    response = make_response(_page(signed_in=signed_in, has_ended=has_ended))
    if has_ended:
        sessions.forget(response)
    return response


@blueprint.post("/login")
def sign_in() -> Any:
    """Start a session with the key of the form, and go on to the page that was asked for."""
    key = request.form.get("key", "").strip()
    holder = api_keys.holder_of(key)
    if holder is None:
        return _page(fault=WRONG_KEY if key else NO_KEY)
    response = redirect(own_path(request.form.get("next", "")), 303)
    sessions.start(response, holder)
    return response


@blueprint.post("/logout")
def sign_out() -> Response:
    """End the session, here and in the database."""
    sessions.end()
    response = redirect(url_for("login.show_login"), 303)
    sessions.forget(response)
    return response


def _page(**context: Any) -> str:
    given = request.form.get("next") or request.args.get("next", "")
    return render_template("login.html", next=own_path(given), **context)


def own_path(given: str) -> str:
    """The path of this server that was asked for; `/` if it would lead to another one.

    Browsers read a backslash as a slash and skip control characters.
    """
    is_plain = given.isprintable() and "\\" not in given and len(given) <= MAX_PATH_CHARS
    if not (is_plain and given.startswith("/") and not given.startswith("//")):
        return url_for("start.show_start")
    parts = urlsplit(given)
    return url_for("start.show_start") if parts.scheme or parts.netloc else given
