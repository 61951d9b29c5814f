"""Signs that are no letters (’ ™ ° ½): how likely each is, and where in a word it stands."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

UNREADABLE = "\ufffd"
_KEPT = 1 << 14  # characters, of all that a file may have
# Natural logarithms of probabilities.
BROKEN, MISPLACED = -15.0, -9.0
_BOX, _RARE = -11.0, -8.0
_DAMAGE = -4.5  # a byte that is no text, by itself; within a word it tells against the encoding
# The likelihood of a sign, and what may stand before and after it: Letters, Digits, or the Border of a word.
_SIGNS = {
    "’": (-1.5, "LD", "LB"), "‘": (-4, "B", "L"), "“": (-3.5, "B", "LD"), "”": (-3.5, "LDB", "B"),
    "„": (-5.5, "B", "LD"), "–": (-3, "BLD", "BD"), "—": (-4, "BLD", "B"), "…": (-4, "L", "B"),
    "®": (-3, "LD", "B"), "™": (-3, "LD", "B"), "©": (-4, "B", "BD"), "°": (-3, "DB", "LB"), "º": (-4, "DL", "B"),
    "ª": (-5, "D", "B"), "×": (-3.5, "DB", "DB"), "€": (-3, "DB", "DB"), "£": (-3.5, "B", "D"),
    "½": (-3.5, "DB", "B"), "¼": (-4, "DB", "B"), "¾": (-4, "DB", "B"), "²": (-3.5, "L", "B"), "³": (-4, "L", "B"),
    "«": (-3.5, "B", "L"), "»": (-3.5, "LDB", "B"), "·": (-6, "BL", "BL"), "•": (-4, "B", "BL"),
    "\xa0": (-4, "LDB", "DB"), "±": (-5, "BD", "D"), "¿": (-4, "B", "L"), "¡": (-4, "B", "L"), "µ": (-5, "DB", "L"),
    "№": (-3.5, "B", "BD"), "§": (-6, "B", "BD"), "‰": (-6, "DB", "B"), "฿": (-4, "DB", "DB"), "₪": (-4, "DB", "DB"),
    "،": (-4, "LDB", "LDB"),
}  # fmt: skip
_OTHER: tuple[float, str, str] = (_RARE, "DB", "DB")
# Where a sign by itself tells that it is one: there, other code pages have a letter that no word of theirs has.
_TELLING = {
    **{sign: (before, after) for sign, (_, before, after) in _SIGNS.items()},
    **dict.fromkeys("’¿¡\xa0", ("", "")),
    **{"º": ("D", "B"), "·": ("B", "B"), "–": ("BD", "BD"), "—": ("B", "B"), "…": ("L", "B")},
}


@lru_cache(_KEPT)
def script(character: str) -> str:
    """The script of a letter; empty for anything else."""
    if unicodedata.category(character)[0] not in "LM" or character in "µºª":
        return ""
    name = unicodedata.name(character, "").split(" ")[0]
    return "LATIN" if name == "COMBINING" else name


@lru_cache(_KEPT)
def place(character: str) -> str:
    """What a character is to the sign beside it: `L` a letter, `D` a digit, `B` the border of a word."""
    if character.isdigit() and character.isascii():
        return "D"
    return "L" if script(character) else "B"


@lru_cache(_KEPT)
def score_sign(before: str, sign: str) -> float:
    """The likelihood of a sign after a letter, a digit or a border."""
    if sign == UNREADABLE and before != "L":
        return _DAMAGE
    if unicodedata.category(sign) in ("Cc", "Cn", "Co") or sign == UNREADABLE:
        return BROKEN
    if "\u2190" <= sign <= "\u2bff":
        return _BOX
    likelihood, left, _ = _SIGNS.get(sign, _OTHER)
    return likelihood + (0.0 if before in left else MISPLACED)


@lru_cache(_KEPT)
def score_after(sign: str, after: str) -> float:
    """The penalty for a sign that does not usually stand before a letter, a digit or a border."""
    return 0.0 if after in _SIGNS.get(sign, _OTHER)[2] else MISPLACED


def has_only_usual_signs(word: str) -> bool:
    """Whether all characters of a word beyond ASCII are signs in their usual places: `30°`, `Brand™`."""
    return all(
        before.isascii() and after.isascii() and sign in _TELLING
        and place(before) in _TELLING[sign][0] and place(after) in _TELLING[sign][1]
        for before, sign, after in zip(f" {word}", word, f"{word[1:]} ", strict=False)
        if not sign.isascii()
    )  # fmt: skip
