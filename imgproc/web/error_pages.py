"""Errors as pages: a browser that asked for a page is shown the problem as one."""

from __future__ import annotations

from typing import cast

from flask import Flask, Response, redirect, render_template, request, url_for

from imgproc.api import auth
from imgproc.api.problems import PROBLEM_TYPE
from imgproc.web.texts import N_, gettext

HEADINGS = {
    400: N_("This call cannot be understood"),
    401: N_("Sign in first"),
    403: N_("This is not allowed"),
    404: N_("There is nothing here"),
    409: N_("That does not work right now"),
    413: N_("The file is too large"),
    415: N_("This is not a file that can be read"),
    422: N_("Something has to be changed first"),
    429: N_("Too many calls"),
    500: N_("Something went wrong on the server"),
    503: N_("The server cannot do this right now"),
}


def init_app(app: Flask) -> None:
    """Show problems as pages."""
    app.after_request(_show_page)


def prefers_json() -> bool:
    """Whether the client asks for JSON rather than a page."""
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def _show_page(response: Response) -> Response:
    """Replace the body of a problem by a page, where a browser has asked for one outside the API.

    Whoever has to sign in is led to that page, and back afterwards.
    """
    is_wanted = "text/html" in request.accept_mimetypes.values() and not prefers_json()
    if response.mimetype != PROBLEM_TYPE or request.path.startswith("/api/"):
        return response
    response.vary.add("Accept")
    if not is_wanted:
        return response
    if response.status_code == 401 and request.method == "GET" and auth.is_page():
        asked = request.full_path.removesuffix("?")
        return cast("Response", redirect(url_for("login.show_login", next=asked if asked != "/" else None)))
    problem = response.get_json(force=True)
    heading = gettext(HEADINGS.get(response.status_code, problem["title"]))
    response.set_data(render_template("error.html", problem=problem, heading=heading))
    response.content_type = "text/html; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    return response
