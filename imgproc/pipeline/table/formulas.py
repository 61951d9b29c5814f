"""Guards CSV cells against formulas (OWASP CSV injection): `write` adds the guard, `read` removes it."""

from __future__ import annotations

import re

# Spreadsheets drop invisible characters and then run the rest: control characters, white space, and Unicode's format
# characters and default ignorables.
_INVISIBLE = (
    r"\s\0-\x1f\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc"
    r"\U000110bd\U000110cd\U00013430-\U00013455\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# The characters that start a formula, also in full width and as small forms. A leading tab or line break may move the
# rest into a cell of its own.
_FORMULA = re.compile(rf"[{_INVISIBLE}']*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\t\r\n]")


def guard(cell: str) -> str:
    """Prefix the cell with `'` where a spreadsheet might run it as a formula.

    A cell that already looks guarded gets another guard, so `unguard` always returns the original text.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguard(cell: str) -> str:
    """The original text of a guarded cell."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell, 1) else cell
