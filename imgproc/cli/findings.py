"""What `imgproc check` and `imgproc init` say of each part: that it works, or what is wrong and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a check found: `ok`, or `wrong`, or `note` for what is only worth knowing."""

    part: str
    state: str
    text: str


def ok(part: str, *, text: str) -> Finding:
    """All is well."""
    return Finding(part, "ok", text)


def wrong(part: str, *, text: str) -> Finding:
    """Something has to be done, and the text says what."""
    return Finding(part, "wrong", text)


def note(part: str, *, text: str) -> Finding:
    """All works, and this is worth knowing."""
    return Finding(part, "note", text)
