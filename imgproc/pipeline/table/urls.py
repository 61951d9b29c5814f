"""The URL cell of a row -> its URLs, and a fault for each item that is not a URL.

`url_items` takes the cell apart, `url_faults` says what is wrong with an item. Almost every cell is a plain list, which
one pattern recognizes.
"""

from __future__ import annotations

import re
from itertools import islice

from imgproc.pipeline.http.unshareable_links import any_unshareable
from imgproc.pipeline.table.url_faults import MAX_URL_CHARS, fault_of
from imgproc.pipeline.table.url_items import split_items, starts_url

__all__ = ["MAX_URL_CHARS", "PLAIN_LISTS", "PLAIN_URL", "parse_urls", "starts_url"]

MAX_FAULTS = 10  # of one cell; explaining more would take many times the cell's own text

# A plain URL is ASCII without any separator, quote, bracket or misleading character, and ends in no full stop.
PLAIN_URL = r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[1-9][0-9]{0,3}|)(?:[/?#][!#-%'*+\--:=?-Z_a-z~&]*|)(?<![.!])"
_PLAIN_LIST = re.compile(rf"{PLAIN_URL}(?:,{PLAIN_URL})*")
PLAIN_LISTS = re.compile(rf"{PLAIN_URL}(?:[,\n]{PLAIN_URL})*")  # one such list a line


def parse_urls(cell: str, *, at_most: int) -> tuple[tuple[str, ...], list[str], list[str]]:
    """The items of the URL cell in order, a sentence for each of the first 10 that are no URLs, and what was changed.

    What was changed are codes of notes (`url_items.CHANGES`). A cell of more than `at_most` items is not checked: the
    row is refused for their number.
    """
    changes: list[str] = []
    if _PLAIN_LIST.fullmatch(cell) and cell.count("://") == cell.count(",") + 1:
        urls = tuple(cell.split(","))
        if len(cell) <= MAX_URL_CHARS and not any_unshareable(cell):
            return urls, [], changes
    else:
        items, changes = split_items(cell)
        urls = tuple(items)
    if len(urls) > at_most:
        return urls, [], changes
    faults = (f"URL {n} {fault}" for n, url in enumerate(urls, start=1) if (fault := fault_of(url)))
    return urls, list(islice(faults, MAX_FAULTS)), changes
