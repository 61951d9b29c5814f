"""Escapes strangers' text on a terminal or in a text log: what moves the cursor or hides text becomes a number."""

from __future__ import annotations

import re

# Control characters, with which escape sequences of terminals begin, also in their 8-bit form; line and paragraph
# separators; marks and overrides of direction ("Trojan Source", CVE-2021-42574); what has no width; half surrogates,
# which no stream takes. U+200C and U+200D stay, as words and emoji need them.
_UNSAFE = re.compile(
    r"[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
_UNSAFE_IN_LINES = re.compile(_UNSAFE.pattern.replace(r"\0-\x1f", r"\0-\x08\x0b-\x1f"))


def printable(text: str) -> str:
    """The text on one line, every character in it that could mislead written as `\\x1b` or `\\u202e`."""
    return _UNSAFE.sub(_number, text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, which keeps its line feeds and tabs."""
    return _UNSAFE_IN_LINES.sub(_number, text)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
