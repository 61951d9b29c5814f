"""Number formats of a workbook that show more than the digits of a whole number: `00000`, `000-000`, `"A-"000`."""

from __future__ import annotations

import re

# A literal in quotes, one after a backslash, the width of a character, a filler, a place of a digit, or a sign.
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|([0#?])|([-+(): ])')
_MAX_CHARS = 60

Mask = tuple[str, ...]  # places of digits (0, #, ?), and texts after a backslash


def mask_of(code: str) -> Mask | None:
    """The mask of a number format; None for one that shows whole numbers as they are, dates or decimals."""
    section = code.split(";", 1)[0]
    if len(section) > _MAX_CHARS:
        return None
    mask: list[str] = []
    place = 0
    while place < len(section):
        token = _TOKEN.match(section, place)
        if token is None:
            return None
        text = next((group for group in (token[1], token[2], token[4]) if group is not None), None)
        mask += [f"\\{text}"] if text is not None else [token[3]] if token[3] else []
        place = token.end()
    places = [each for each in mask if each[0] != "\\"]
    is_plain = len(mask) == len(places) and places.count("0") < 2
    return tuple(mask) if places and not is_plain else None


def shown(digits: str, mask: Mask) -> str:
    """The text of a cell with a whole number in it; its digits fill the places from the right."""
    left = list(digits)
    first = next(index for index, each in enumerate(mask) if each[0] != "\\")
    found: list[str] = []
    for index in range(len(mask) - 1, -1, -1):
        if mask[index][0] == "\\":
            found.append(mask[index][1:])
        elif index == first:
            found.append("".join(left) or ("0" if mask[index] == "0" else ""))
        else:
            found.append(left.pop() if left else "0" if mask[index] == "0" else "")
    return "".join(reversed(found)).strip()
