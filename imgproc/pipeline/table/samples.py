"""The cells of the first rows of a file, by column."""

from __future__ import annotations

from collections.abc import Sequence


def cell(row: Sequence[str], index: int) -> str:
    """The text of a cell; empty where the row is too short."""
    return row[index].strip() if index < len(row) else ""


def texts(sample: Sequence[Sequence[str]], index: int) -> list[str]:
    """The texts of a column, without the empty ones."""
    return [text for row in sample if (text := cell(row, index))]
