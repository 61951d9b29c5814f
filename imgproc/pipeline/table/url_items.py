"""Takes a URL cell apart: the items of a list, however people and programs write lists of URLs."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from imgproc.pipeline.table.url_lists import listed_urls, without_breaks
from imgproc.pipeline.table.url_remarks import PICTURE, is_sign, without_remarks, without_signs_around

# What `split_items` may change, by the code of its note.
CHANGES = {
    "invisible_removed": "Invisible characters are left out.",
    "formula_read": "The URL of a formula (IMAGE, HYPERLINK) is read.",
    "html_read": "The URLs of HTML tags are read.",
    "markdown_read": "The URLs of Markdown links are read.",
    "json_read": "The URLs of a list in the notation of a program (JSON, Python, PHP) are read.",
    "attachments_read": "URLs in brackets after a file name are read.",
    "entity_decoded": "`&amp;` in URLs is read as `&`, and other such signs of HTML as what they stand for.",
    "full_width_read": "Full-width letters and signs of URLs are read as the usual ones.",
    "space_encoded": "Spaces inside URLs are read as %20.",
    "wix_media_read": "Names of Wix media are read as https://static.wixstatic.com/media/ and the name.",
    "glued_split": "URLs that follow each other without a separator are read as several.",
    "labels_read": "The URLs behind “Product Image URL:” are read.",
    "remarks_left_out": "What stands beside URLs, such as numbers, signs and titles of pictures, is left out.",
}

_ABSOLUTE = re.compile(r"https?://", re.I)
_SEPARATOR = re.compile(r"([,;|，、；،])")  # noqa: RUF001 - full-width and Arabic commas
_OWN_ITEM = re.compile(r"[a-z][a-z0-9+.-]*://|//|www\.|data:", re.I)
_IMAGE_NAME = re.compile(rf"{PICTURE}$", re.I)
# Format characters without width are left out; marks of direction only around an item, because inside they mislead.
_INVISIBLE = re.compile("[\u00ad\u034f\u180e\u200b-\u200d\u2060-\u2064\ufeff]")
_AROUND = " \t\r\n\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_ENTITY = re.compile(r"&(?:amp|#0{0,4}38|#x0{0,4}26);", re.I)
_OTHER_ENTITY = re.compile(r"&(?:lt|gt|quot|apos|nbsp|#0{0,4}(?!38;)[0-9]{2,5}|#x0{0,4}(?!26;)[0-9a-f]{2,4});", re.I)
_FULL_WIDTH = re.compile("[hｈＨ][tｔＴ]{2}[pｐＰ][sｓＳ]?[:：][/／]{2}", re.I)  # noqa: RUF001
_USUAL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SPACE_IN_SCHEME = re.compile(r"\b(https?)[ \t]{0,3}:[ \t]{0,3}//[ \t]{0,3}(?=\S)", re.I)
# Wix exports the names of its media, which are public at one address.
_WIX_MEDIA = re.compile(r"(?:wix:image://v1/)?([0-9a-f]{6}_[0-9a-f]{32}(?:~mv2\w*)?\.[a-z]{3,5})(?:[/#].*)?", re.I)
_WIX_BASE = "https://static.wixstatic.com/media/"
_GLUED = re.compile(r"(?<=[^\s/=:?&#,;|%(\[{\"'“„‘«‹`<，、；،])(?=https?://)", re.I)  # noqa: RUF001
_WRAPPERS = {
    '"': '"',
    "'": "'",
    "“": "”",
    "„": "“",
    "‘": "’",  # noqa: RUF001 - typographic quotes
    "«": "»",
    "`": "`",
    "<": ">",
    "[": "]",
    "{": "}",
    "(": ")",
}

MAX_WRAPPERS = 4  # around one another


def starts_url(text: str) -> bool:
    """Whether `text` starts like an absolute http(s) URL."""
    return _ABSOLUTE.match(text) is not None


def split_items(cell: str) -> tuple[list[str], list[str]]:
    """The items of the cell, whether or not they are URLs, and the codes of what was changed.

    Line breaks always separate, and so does other white space, except inside a URL that ends as a picture only with
    what follows (`https://a/my mug.jpg`). A `,` `;` or `|` separates before `http://` or `https://`, after an item that
    is not a URL, and where nothing follows; any other belongs to the URL (`https://a/w_9,h_9/b`). So that a wrong item
    is reported, and not joined to the URL before it, it also separates before another scheme, `//`, `www.` and `data:`,
    and after a URL that ends in an image's file name (`https://a/1.jpg,not-a-url`), unless an `=` shows that a
    parameter follows (`https://a/1.jpg;v=2`).
    """
    changes: list[str] = []
    text = _INVISIBLE.sub("", cell).replace("_x000D_", "")  # a carriage return of a workbook
    if text != cell:
        changes.append("invisible_removed")
    text = _SPACES.sub(" ", text).strip(_AROUND)
    if "&" in text and _OTHER_ENTITY.search(text):
        text = _OTHER_ENTITY.sub(lambda match: html.unescape(match[0]).replace("\xa0", " "), text)
        if "<" not in text:  # or the note about HTML says it
            changes.append("entity_decoded")
    if not starts_url(text) and _FULL_WIDTH.match(text):
        text = text.translate(_USUAL_WIDTH)
        changes.append("full_width_read")
    text = _SPACE_IN_SCHEME.sub(r"\1://", text)
    listed = listed_urls(text)
    if listed:
        changes.append(listed[0])
    items = listed[1] if listed else [*_split_text(_unwrap(text), changes)]
    return [_decoded(item, changes) for item in items if item], changes


def _split_text(text: str, changes: list[str]) -> Iterator[str]:
    if "<" in text or "[/" in text:
        broken = without_breaks(text)
        if broken != text:
            changes.append("html_read")
        text = broken
    bare = without_remarks(text)
    apart = _GLUED.sub("\n", bare)
    if apart != bare:
        changes.append("glued_split")
    remarks, has_url = bare != text, "://" in text
    for line in apart.splitlines():
        for item in _joined(_split_line(line), changes):
            if is_sign(item) and (has_url or item == text):
                remarks = True
                continue
            kept = without_signs_around(item)
            remarks = remarks or kept != item
            yield kept
    if remarks:
        changes.append("remarks_left_out")


def _split_line(line: str) -> Iterator[tuple[str, bool]]:
    """The items of a line, and whether only white space is between an item and the one before it."""
    after_space = False
    for token in line.split():
        first, *rest = _SEPARATOR.split(token)
        item = [first]  # A list of pieces: appending to a text would take quadratic time.
        for separator, piece in zip(rest[::2], rest[1::2], strict=True):
            if separator in ",;|" and _continues(item, piece):
                item += (separator, piece)
                continue
            if item != [""]:
                yield _unwrap("".join(item)), after_space
            item, after_space = [piece], False
        if item != [""]:
            yield _unwrap("".join(item)), after_space
        after_space = item != [""]


def _continues(item: list[str], piece: str) -> bool:
    if not piece or not starts_url(item[0].lstrip("\"'“[(<")) or _OWN_ITEM.match(piece.lstrip("\"'“[(<")):
        return False
    return "=" in piece or not _IMAGE_NAME.search("".join(item[-6:])[-6:].rstrip("\"'”])>"))


def _joined(items: Iterator[tuple[str, bool]], changes: list[str]) -> Iterator[str]:
    """Join the pieces of a URL with spaces inside, if it ends as a picture only with the last of them."""
    pieces: list[str] = []
    for item, after_space in items:
        is_open = bool(pieces) and after_space and not starts_url(item) and not _OWN_ITEM.match(item)
        if not is_open:
            yield from pieces
            pieces = []
        pieces.append(item)
        if is_open and _is_picture(item) and starts_url(pieces[0]):
            changes.append("space_encoded")
            yield "%20".join(pieces)
            pieces = []
        elif not starts_url(pieces[0]) or (len(pieces) == 1 and _is_picture(item)):
            yield from pieces
            pieces = []
    yield from pieces


def _is_picture(item: str) -> bool:
    return _IMAGE_NAME.search(re.split(r"[?#]", item[-512:], maxsplit=1)[0]) is not None


def _unwrap(text: str) -> str:
    """The text without quotes or brackets around all of it."""
    for _ in range(MAX_WRAPPERS):
        inner = text[1:-1]
        if len(text) < 2 or _WRAPPERS.get(text[0]) != text[-1] or not _is_whole(inner, text[0], text[-1]):
            break
        text = inner.strip()
    return text


def _is_whole(inner: str, opening: str, closing: str) -> bool:
    """Whether a wrapper that opens before `inner` closes after it, and not within: `[a],[b]` has two."""
    if opening == closing:
        return closing not in inner
    depth = 0
    for character in inner if closing in inner else "":
        depth += (character == opening) - (character == closing)
        if depth < 0:
            return False
    return True


def _decoded(item: str, changes: list[str]) -> str:
    if "&" in item and _ENTITY.search(item) and starts_url(item):
        changes.append("entity_decoded")
        return _ENTITY.sub("&", _ENTITY.sub("&", item))  # twice: some programs escape what is escaped already
    if "_" in item[:23] and (media := _WIX_MEDIA.fullmatch(item)):
        changes.append("wix_media_read")
        return _WIX_BASE + media[1]
    return item
