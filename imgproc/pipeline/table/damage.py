"""Text that another program has damaged: decoded in a wrong encoding and saved again, or with its characters lost."""

from __future__ import annotations

import re

from imgproc.pipeline.table.notes import Notes

_LOST = "\ufffd"
# UTF-8 that was read as Windows-1252: its first byte is one of these letters, the next is no letter of a word.
_LEADS = "ÂÃÄÅÎÏÐÑ×Øâã"
_AS_LATIN = re.compile(
    "(?:[ÂÃÄÅÎÏÐÑ×Ø][\x80-\xbf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019"
    "\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]|â(?:\u20ac|\u201a|\u0080).)+"
)
_BYTES = {
    bytes([code]).decode("cp1252"): code for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def note_damage(block: str, line: int, notes: Notes) -> None:
    """Note the first damage in a block of text, which starts on `line`."""
    if _LOST in block:
        detail = "“\ufffd” stands where another program lost a character: write it again, or export the table as UTF-8."
        notes.add("lost_characters", detail, line=_line(block, block.index(_LOST), line))
    if any(map(block.__contains__, _LEADS)):
        _note_double_encoding(block, line, notes)


def _note_double_encoding(block: str, line: int, notes: Notes) -> None:
    for match in _AS_LATIN.finditer(block):
        if (meant := _meant(match[0])) and (found := _word(block, match)):
            detail = (
                f"“{found}” seems to be UTF-8 that another program read as Latin text: perhaps it was to say "
                f"“{found.replace(match[0], meant)}”. Export the table again as UTF-8, or open it as UTF-8 and save it."
            )
            notes.add("double_encoding", detail, line=_line(block, match.start(), line))
            return


def _meant(text: str) -> str:
    """The text as it was before a wrong decoding; empty if it was decoded right."""
    try:
        return bytes(_BYTES.get(character) or ord(character) for character in text).decode("utf-8")
    except ValueError:
        return ""


def _word(block: str, match: re.Match[str]) -> str:
    start = re.search(r"[^\s,;|\t\"]{0,20}$", block[max(match.start() - 20, 0) : match.start()])
    end = re.match(r"[^\s,;|\t\"]{0,20}", block[match.end() : match.end() + 20])
    return f"{start[0] if start else ''}{match[0]}{end[0] if end else ''}"


def _line(block: str, offset: int, line: int) -> int:
    return line + len(block[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1
