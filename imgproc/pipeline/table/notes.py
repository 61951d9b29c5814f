"""Notes: what the reader decided where the file left a choice, so that nothing is guessed silently."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One decision: a stable code, the first line it concerns (None: the file as a whole), and a plain sentence."""

    code: str
    line: int | None
    detail: str


class Notes:
    """The notes of one reading. Of each code it keeps the first, and counts the others."""

    def __init__(self) -> None:
        self._first: dict[str, Note] = {}
        self._more: dict[str, int] = {}

    def add(self, code: str, detail: str, *, line: int | None = None) -> None:
        """Note a decision."""
        if code in self._first:
            self._more[code] = self._more.get(code, 0) + 1
        else:
            self._first[code] = Note(code, line, detail)

    def count(self, code: str) -> int:
        """How often a decision was noted."""
        return (code in self._first) + self._more.get(code, 0)

    def all(self) -> tuple[Note, ...]:
        """The notes so far, one for each code, in the order they were made."""
        return tuple(
            Note(code, note.line, f"{note.detail}{_also(self._more.get(code, 0))}")
            for code, note in self._first.items()
        )


def _also(more: int) -> str:
    if not more:
        return ""
    return f" The same holds for {more:,} more line{'s' if more > 1 else ''}."
