"""The URL cell of a row -> its URLs, and a fault for each item that is not a URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlsplit

from imgproc.core.redaction import redact
from imgproc.pipeline.http.unshareable_links import any_unshareable, unshareable

MAX_URL_CHARS = 8192
MAX_FAULTS = 10  # of one cell; explaining more would take many times the cell's own text

_SEPARATOR = re.compile(r"([,;|])")
_ABSOLUTE = re.compile(r"https?://", re.I)
_OWN_ITEM = re.compile(r"[a-z][a-z0-9+.-]*://|//|www\.|data:", re.I)
_IMAGE_NAME = re.compile(r"\.(?:jpe?g|jfif|png|gif|webp|avif|heic|bmp|tiff?|svg)$", re.I)
# A plain URL is ASCII without any separator or misleading character. Almost every cell is a list of these.
PLAIN_URL = r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[1-9][0-9]{0,3}|)(?:[/?#][!#-+\--:<-\[\]-{}~]*|)"
_PLAIN_LIST = re.compile(rf"{PLAIN_URL}(?:,{PLAIN_URL})*")
PLAIN_LISTS = re.compile(rf"{PLAIN_URL}(?:[,\n]{PLAIN_URL})*")  # one such list a line


def starts_url(text: str) -> bool:
    """Whether `text` starts like an absolute http(s) URL."""
    return _ABSOLUTE.match(text) is not None


def parse_urls(cell: str, *, at_most: int) -> tuple[tuple[str, ...], list[str]]:
    """The items of the URL cell, in order, and a sentence for each of the first 10 that are not URLs.

    A cell of more than `at_most` items is not checked: the row is refused for their number.
    """
    if _PLAIN_LIST.fullmatch(cell):
        urls = tuple(cell.split(","))
        if len(cell) <= MAX_URL_CHARS and not any_unshareable(cell):
            return urls, []
    else:
        urls = tuple(split_urls(cell))
    if len(urls) > at_most:
        return urls, []
    faults = (f"URL {n} {fault}" for n, url in enumerate(urls, start=1) if (fault := _fault(url)))
    return urls, list(islice(faults, MAX_FAULTS))


def split_urls(cell: str) -> Iterator[str]:
    """Split the URL cell into its items, whether or not they are URLs.

    White space always separates. A `,` `;` or `|` separates before `http://` or `https://`, after an item that is not a
    URL, and where nothing follows; any other belongs to the URL (`https://a/w_9,h_9/b`). So that a wrong item is
    reported, and not joined to the URL before it, it also separates before another scheme, `//`, `www.` and `data:`,
    and after a URL that ends in an image's file name (`https://a/1.jpg,not-a-url`), unless an `=` shows that a
    parameter follows (`https://a/1.jpg;v=2`).
    """
    for token in cell.split():
        first, *rest = _SEPARATOR.split(token)
        item = [first]  # A list of pieces: appending to a text would take quadratic time.
        for separator, piece in zip(rest[::2], rest[1::2], strict=True):
            if _continues(item, piece):
                item += (separator, piece)
                continue
            if item != [""]:
                yield "".join(item)
            item = [piece]
        if item != [""]:
            yield "".join(item)


def _continues(item: list[str], piece: str) -> bool:
    if not piece or not starts_url(item[0]) or _OWN_ITEM.match(piece):
        return False
    return "=" in piece or not _IMAGE_NAME.search("".join(item[-6:])[-5:])


def _fault(url: str) -> str | None:
    """What is wrong with the syntax of `url` (RFC 3986, and IRIs); its host is not looked up."""
    shown = redact(url[:200])
    shown = repr(shown if len(shown) <= 100 else shown[:100] + "…")
    if not starts_url(url):
        return f"({shown}) is not an absolute http:// or https:// URL: write it in full, a space inside it as %20."
    if len(url) > MAX_URL_CHARS:
        return f"({shown}) is longer than {MAX_URL_CHARS:,} characters: shorten it."
    if not url.isprintable() or "\\" in url:
        return f"({shown}) holds an invisible character or a backslash: remove it."
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:  # The URL is not shown, because it may hold a password.
            return "carries a user name or password: publish the image without one."
        has_address = parts.port != 0 and re.search(r"[\w:]", parts.hostname or "")
    except ValueError:
        has_address = False
    if has_address and (what := unshareable(url)):
        return f"({shown}) {what}."
    return None if has_address else f"({shown}) has no host, or no valid port: write it as https://host/path."
