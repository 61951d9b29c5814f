"""Defects put in on purpose, to see the checker find them."""

from __future__ import annotations

from collections.abc import Callable

MUTATIONS: dict[str, Callable[[], None]] = {}


def apply(name: str) -> None:
    """Put the named defect into this process; the empty name is none."""
    if name:
        MUTATIONS[name]()
