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
    """The notes of one reading. Of each code, and each kind of a code that has some, it keeps the first, and counts."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Note] = {}
        self._more: dict[tuple[str, str], int] = {}

    def add(self, code: str, detail: str, *, line: int | None = None, kind: str = "") -> None:
        """Note a decision."""
        key = code, kind
        if key in self._first:
            self._more[key] = self._more.get(key, 0) + 1
        else:
            self._first[key] = Note(code, line, detail)

    def count(self, code: str) -> int:
        """How often a decision was noted."""
        return ((code, "") in self._first) + self._more.get((code, ""), 0)

    def all(self) -> tuple[Note, ...]:
        """The notes so far, one for each code and kind, in the order they were made."""
        return tuple(
            Note(note.code, note.line, f"{note.detail}{_also(self._more.get(key, 0))}")
            for key, note in self._first.items()
        )


def _also(more: int) -> str:
    if not more:
        return ""
    return f" The same holds for {more:,} more line{'s' if more > 1 else ''}."
