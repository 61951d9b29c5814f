"""Quotes other than those of RFC 4180: single quotes, and backslashes before quotes.

Each line is mended before it is parsed, so that one parser reads them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_SWAPPED = str.maketrans("\"'", "'\"")
_BACKSLASH = re.compile(r'(?<!\\)((?:\\\\)*)\\"')

Rows = Sequence[Sequence[str]]  # the cells of the first rows by the usual quotes


@dataclass(frozen=True)
class Quotes:
    """One kind of quotes: `mended` gives a line with the usual ones, `restored` the cells as they were meant.

    `may_suit` tells from the text and its rows whether these may be meant. If they are `repairing`, they are only for
    texts that the usual quotes do not suit.
    """

    code: str
    detail: str
    mended: Callable[[str], str]
    restored: Callable[[Iterable[str]], list[str]]
    may_suit: Callable[[str, Rows], bool]
    repairing: bool


def _swap(text: str) -> str:
    return text.translate(_SWAPPED)


def _in_single_quotes(_: str, rows: Rows) -> bool:
    """Whether at least half of the cells of each row begin with a single quote, those of pictures among them.

    Our own files have single quotes before formulas, but not before URLs.
    """
    return bool(rows) and all(
        any(cell.startswith("'http") for cell in row)
        and 2 * sum(cell.startswith("'") for cell in row) >= sum(bool(cell) for cell in row)
        for row in rows
    )


def _by_backslashes(text: str, _: Rows) -> bool:
    return '\\"' in text


QUOTES = (
    Quotes(
        "single_quotes_read",
        "Cells are in single quotes, which are read as quotes.",
        _swap,
        lambda cells: [_swap(cell) for cell in cells],
        _in_single_quotes,
        repairing=False,
    ),
    Quotes(
        "backslashes_read",
        'A backslash before a quote (\\") is read as a quote inside the cell.',
        lambda line: _BACKSLASH.sub(r'\1""', line),
        list,
        _by_backslashes,
        repairing=True,
    ),
)
