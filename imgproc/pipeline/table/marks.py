"""The first bytes of a text -> whether it is Unicode by its byte order mark, or by the zeros between its bytes."""

from __future__ import annotations

import codecs

# The mark of UTF-32 begins with that of UTF-16.
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def unicode_of(head: bytes) -> str | None:
    """The codec of a text that begins so; None where neither a mark nor zeros tell it."""
    return next((encoding for mark, encoding in BOMS.items() if head.startswith(mark)), None) or _by_zeros(head)


def _by_zeros(head: bytes) -> str | None:
    """The encoding of text with two or four bytes a character, most of which are zeros on the same places."""
    if not head or head.count(0) * 8 < len(head):
        return None
    places = [head[place::4].count(0) * 4 / len(head) for place in range(4)]
    for encoding, zeros in (("utf-32-le", "0111"), ("utf-32-be", "1110"), ("utf-16-le", "0101"), ("utf-16-be", "1010")):
        wanted = [share for share, zero in zip(places, zeros, strict=True) if zero == "1"]
        others = [share for share, zero in zip(places, zeros, strict=True) if zero == "0"]
        if min(wanted) > (0.7 if "32" in encoding else 0.2) and max(others) < 0.05:
            return encoding
    return None
