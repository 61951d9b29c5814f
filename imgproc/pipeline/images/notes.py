"""What a caller should know of a rendition that succeeded: a code and a sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageNote:
    """One thing that the rendition does not show as the source has it, or an option that was not applied."""

    code: str
    detail: str
