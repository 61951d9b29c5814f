"""Notes the share links of a file, of which the file itself is downloaded: one note for each service."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imgproc.pipeline.http.share_links import direct_form, is_of_service
from imgproc.pipeline.table.notes import Notes
from imgproc.pipeline.table.plain import PlainRows
from imgproc.pipeline.table.rows import Row

_HOST = re.compile(r"//([^/?#:,\s]+)")


def note_share_links(part: Row | PlainRows, notes: Notes) -> None:
    """Note the share links of good rows. A block of rows has few hosts, so most are passed over at once."""
    if isinstance(part, Row):
        if not part.errors and _may_share("\n".join(part.urls)):
            _note(part.line, part.urls, notes)
    elif _may_share("\n".join(part.cells), images=part.images):
        for line, cell in enumerate(part.cells, start=part.line):
            _note(line, cell.split(","), notes)


def _may_share(text: str, *, images: int | None = None) -> bool:
    start = text[: text.find("/", len("https://")) + 1]
    if start and text.count(start) == images:  # one host for all
        return is_of_service(start.split("/")[2])
    return any(map(is_of_service, set(_HOST.findall(text))))


def _note(line: int, urls: Iterable[str], notes: Notes) -> None:
    found = {link.service: link for url in urls if (link := direct_form(url))}
    for service, link in found.items():
        notes.add("share_link", link.note, line=line, kind=service)
