"""The pages about errors at `/docs/errors/`, made of the tables in `docs/reference/errors.md`.

Each says what a code means and what helps. The `type` of a problem is the address of one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

from apiflask import APIBlueprint
from flask import abort, render_template, url_for
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from imgproc.core.errors import ERROR_PAGES
from imgproc.web import help_pages

PAGE = "reference/errors.md"
CODE = re.compile(r"[a-z0-9_]+")
OF_HTTP = re.compile(r"http_(\d{3})")
CODES = "code"  # the heading of the first column of each table

blueprint = APIBlueprint("error_reference", __name__, enable_openapi=False, url_prefix=ERROR_PAGES.rstrip("/"))


@dataclass(frozen=True)
class Entry:
    """A row of a table: its codes, the HTTP statuses that they are made with, and its other cells by their headings."""

    section: str
    shown: Markup
    codes: tuple[str, ...]
    statuses: str
    cells: dict[str, Markup]

    def is_about(self, code: str) -> bool:
        """Whether the row describes the code; one of HTTP may be described by its status or its hundred."""
        if code in self.codes:
            return True
        if not (status := OF_HTTP.fullmatch(code)):
            return False
        return not {status[1], f"{status[1][0]}xx", "status"}.isdisjoint(re.findall(r"\w+", self.statuses))


@blueprint.get("/")
def list_errors() -> str:
    """Every code, with a link to its page."""
    sections: dict[str, list[Entry]] = {}
    for entry in _known():
        sections.setdefault(entry.section, []).append(entry)
    return render_template("errors.html", sections=sections)


@blueprint.get("/<code>")
def show_error(code: str) -> str:
    """What a code means, wherever it occurs, and what helps."""
    known = _known()
    found = [entry for entry in known if entry.is_about(code)]
    if OF_HTTP.fullmatch(code):  # a status that no row of a section names has one for the others
        named = {entry.section for entry in found}
        found += [entry for entry in known if "other" in entry.statuses and entry.section not in named]
    if not found:
        abort(404)
    return render_template("error_code.html", code=code, entries=found)


def _known() -> tuple[Entry, ...]:
    root = help_pages.folder()
    return _entries(root / PAGE) if root else ()


@lru_cache(maxsize=1)
def _entries(path: Path) -> tuple[Entry, ...]:
    markdown = help_pages.parser()
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    return tuple(_rows(tokens, markdown))


def _rows(tokens: list[Token], markdown: MarkdownIt) -> Iterator[Entry]:
    section = ""
    headings: list[str] = []
    cells: list[Token] = []
    for token, following in pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            section = following.content
        elif token.type == "tr_open":
            cells = []
        elif token.type in {"th_open", "td_open"}:
            cells.append(following)
        elif token.type == "tr_close":
            names = [cell.content for cell in cells]
            if names[0] == CODES:
                headings = names
            elif headings:
                yield _entry(section, headings, cells, markdown)


def _entry(section: str, headings: list[str], cells: list[Token], markdown: MarkdownIt) -> Entry:
    first, *others = cells
    codes = [each.content for each in first.children or [] if each.type == "code_inline"]
    texts = [each.content for each in first.children or [] if each.type == "text"]
    shown = [_html(cell, markdown) for cell in others]
    return Entry(
        section=section,
        shown=_html(first, markdown),
        codes=tuple(code for code in codes if CODE.fullmatch(code) and not code.endswith("_")),
        statuses=" ".join(texts) if codes == ["http_"] else "",
        cells=dict(zip(headings[1:], shown, strict=True)),
    )


def _html(cell: Token, markdown: MarkdownIt) -> Markup:
    """The cell as HTML; its links lead into the documentation."""
    for token in cell.children or []:
        if token.type == "link_open":
            page = url_for("help_pages.show_help", name=PAGE)
            token.attrs["href"] = urljoin(page, str(token.attrs["href"]))
    html = markdown.renderer.render([cell], markdown.options, {})
    return Markup(html)  # noqa: S704 - made of our own file, with HTML in it escaped
