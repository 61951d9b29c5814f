"""The language of the pages: the one chosen before, else the one that the browser asks for, else English.

Pages alone are translated. The API answers in English, because programs read it. A language is there once it has a
compiled catalogue in `translations/`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint
from babel import Locale
from flask import Flask, Response, current_app, has_request_context, redirect, request
from flask_babel import Babel, get_locale, refresh
from werkzeug.local import LocalProxy

from imgproc.api import sessions
from imgproc.web.login_page import own_path

FOLDER = Path(__file__).parent / "translations"
DEFAULT = "en"
COOKIE = "imgproc_language"
COOKIE_SECONDS = 365 * 24 * 3600

blueprint = APIBlueprint("languages", __name__, enable_openapi=False)


def init_app(app: Flask) -> None:
    """Translate templates, and tell caches what a page depends on."""
    Babel(app, default_locale=DEFAULT, default_translation_directories=str(FOLDER), locale_selector=chosen)
    app.jinja_env.globals |= {"languages": LocalProxy(names), "language": language, "language_next": page_path}
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.before_request(refresh)  # calls that share an application context, as in tests, may differ in their language
    app.after_request(_vary)
    app.register_blueprint(blueprint)


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """The languages with their names in themselves, English first. Looked up for the first page: it takes 5 MB."""
    found = sorted(path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/messages.mo"))
    return {code: Locale.parse(code).display_name or code for code in (DEFAULT, *found)}


def chosen() -> str:
    """The language of this call; English outside of one."""
    if not has_request_context():
        return DEFAULT
    remembered = request.cookies.get(sessions.cookie_name(COOKIE), "")
    if remembered in names():
        return remembered
    # Werkzeug's `best_match` would prefer `de;q=0.1` to the `en` that is meant by `en-GB`.
    wanted = (_known(tag) for tag, quality in request.accept_languages if quality > 0)
    return next(filter(None, wanted), DEFAULT)


def _known(tag: str) -> str | None:
    """The language of a tag, by its region too if there is a translation for that."""
    whole = tag.replace("-", "_").lower()
    by_tag = {code.lower(): code for code in names()}
    return by_tag.get(whole) or by_tag.get(whole.partition("_")[0])


def language() -> str:
    """The language of this page, as HTML writes it."""
    return str(get_locale() or DEFAULT).replace("_", "-")


@blueprint.get("/language/<code>")
def choose_language(code: str) -> Any:
    """Remember a language, and lead back. A link does for this: it changes what a browser shows, and nothing here."""
    response = redirect(own_path(request.args.get("next", "")), 303)
    response.headers["Cache-Control"] = "no-store"
    if code in names():
        sessions.set_cookie(response, COOKIE, code, seconds=COOKIE_SECONDS)
    return response


def page_path() -> str:
    """The address of this page; of a page that answers a form, the nearest one above it that can be opened."""
    if request.method in {"GET", "HEAD"}:
        return request.full_path.removesuffix("?")
    adapter, path = current_app.create_url_adapter(request), request.path
    while adapter and path and not adapter.test(path, method="GET"):
        path = path.rpartition("/")[0]
    return path or "/"


def _vary(response: Response) -> Response:
    if response.mimetype == "text/html" and not request.path.startswith("/api/"):
        response.vary.update(["Accept-Language", "Cookie"])
    return response
