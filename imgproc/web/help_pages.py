"""The documentation at `/help/`, rendered from its Markdown files, so that it is there without a network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint
from flask import Response, abort, render_template, send_from_directory
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

PACKAGE = Path(__file__).parent.parent
INDEX = "index.md"
COMMENT = re.compile(r"^<!--.*?-->\n?", re.MULTILINE | re.DOTALL)

blueprint = APIBlueprint("help_pages", __name__, enable_openapi=False, url_prefix="/help")


def folder() -> Path | None:
    """Where the documentation is: in the package, or beside it in a checkout. None where it was left out."""
    for found in (PACKAGE / "docs", PACKAGE.parent / "docs"):
        if (found / INDEX).is_file():
            return found
    return None


def parser() -> MarkdownIt:
    """Reads Markdown with tables; HTML in it is shown as text."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


@blueprint.get("/")
@blueprint.get("/<path:name>")
def show_help(name: str = INDEX) -> Any:
    """One page, by the path of its file, so that the links between the files hold; or a picture of one."""
    root = folder()
    if root is None:
        abort(404)
    if not name.endswith(".md"):
        return _picture(root, name)
    known = {path.relative_to(root).as_posix(): path for path in root.rglob("*.md")}
    if name not in known:
        abort(404)
    title, body = _rendered(known[name])
    return render_template("help.html", title=title, body=body, is_index=name == INDEX)


def _picture(root: Path, name: str) -> Response:
    if not name.startswith("images/"):
        abort(404)
    response = send_from_directory(root / "images", name.removeprefix("images/"))
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


@lru_cache(maxsize=128)
def _rendered(path: Path) -> tuple[str, Markup]:
    """The title and the HTML of a page. Raw HTML in it is shown as text, apart from comments, which are left out."""
    markdown = parser()
    tokens = markdown.parse(COMMENT.sub("", path.read_text(encoding="utf-8")))
    title = path.stem
    for token, following in zip(tokens, [*tokens[1:], Token("", "", 0)], strict=True):
        token.attrs.pop("style", None)  # the Content-Security-Policy forbids inline styles
        if token.type == "heading_open":
            text = _text_of(following.children or [])
            token.attrSet("id", anchor(text))
            title = text if token.tag == "h1" else title
        if token.type == "fence":
            token.info = ""
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = html.replace(
        "<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table class="table">'
    )
    html = html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    return title, Markup(html)  # noqa: S704 - made of our own files, with HTML in them escaped


def _text_of(tokens: Sequence[Token]) -> str:
    return "".join(token.content for token in tokens if token.type in {"text", "code_inline"})


def anchor(heading: str) -> str:
    """The anchor of a heading, as `make docs` makes it."""
    text = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())
