"""The pages for browsers. They load everything from this server, so that they work offline."""

from __future__ import annotations

from apiflask import APIFlask
from flask import Response, request

from imgproc import __version__
from imgproc.api import auth
from imgproc.core.config import Settings
from imgproc.journey import previews
from imgproc.web import (
    display,
    docs,
    draft_page,
    error_pages,
    error_reference,
    help_pages,
    keys_page,
    languages,
    login_page,
    outputs,
    picture_page,
    request_actions,
    request_page,
    sample_catalogue,
    share_page,
    shared_request,
    start,
    thumbnails,
)
from imgproc.web.curl import command
from imgproc.web.option_fields import option_label
from imgproc.web.script_texts import script_texts
from imgproc.web.sentences import said
from imgproc.web.texts import N_

# The main navigation: the names and the endpoints of the pages that every page links to.
LINKS = [(N_("Requests"), "start.show_start"), (N_("Help"), "help_pages.show_help"), (N_("API"), "docs.show_docs")]


def init_app(app: APIFlask, settings: Settings) -> None:
    """Register the pages, and what only the embedded stack serves: the outputs bucket and the sample catalogue."""
    has_help = help_pages.folder() is not None
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= display.FILTERS | {"option_label": option_label, "said": said}
    app.jinja_env.globals |= {
        "console_links": LINKS if has_help else [link for link in LINKS if link[0] != "Help"],
        "imgproc_version": __version__,
        "curl_command": command,
        "caller": auth.caller,
        "script_texts": script_texts,
    }
    languages.init_app(app)
    app.after_request(_keep_private)
    error_pages.init_app(app)
    previews.init_app(app, settings)
    thumbnails.init_app(app, settings)
    pages = (docs, error_reference, start, draft_page, request_page, picture_page, request_actions)
    for module in (*pages, login_page, keys_page, share_page, shared_request):
        app.register_blueprint(module.blueprint)
    if has_help:
        app.register_blueprint(help_pages.blueprint)
    if settings.embedded_outputs_dir:
        outputs.register_outputs(app, settings)
    if settings.samples_url:
        sample_catalogue.register_samples(app, settings)


def _keep_private(response: Response) -> Response:
    """Let no cache between keep a page, because it may belong to one caller. Browsers ask again each time.

    The redirects of the API are HTML, too; no cache at all keeps those.
    """
    if response.mimetype == "text/html" and not request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "private, no-cache")
    return response
