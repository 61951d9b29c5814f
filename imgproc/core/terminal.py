"""Escapes untrusted text for terminals and logs: characters that move the cursor or hide text become numbers."""

from __future__ import annotations

import json
import re
from typing import Any

# Control characters, which start escape sequences of terminals, also in their 8-bit form; separators of lines and
# paragraphs; marks and overrides of direction ("Trojan Source", CVE-2021-42574); characters without width; lone
# surrogates, which no stream encodes. U+200C and U+200D stay, because words and emoji need them.
_UNSAFE = re.compile(
    r"[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
_UNSAFE_IN_LINES = re.compile(_UNSAFE.pattern.replace(r"\0-\x1f", r"\0-\x08\x0b-\x1f"))


def printable(text: str) -> str:
    """The text on one line, with unsafe characters written as `\\x1b` or `\\u202e`."""
    return _UNSAFE.sub(_number, text)


def printable_lines(text: str) -> str:
    """As `printable`, for several lines: line feeds and tabs stay."""
    return _UNSAFE_IN_LINES.sub(_number, text)


def printable_json(value: Any, *, indent: int | None = None) -> str:
    """The JSON of a value, readable in any script, with unsafe characters as escapes of JSON (RFC 8259, 7)."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSAFE_IN_LINES.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
