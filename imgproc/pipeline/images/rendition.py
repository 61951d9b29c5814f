"""What `compress` returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageFacts:
    """One image file: its size in bytes, its width and height in pixels as displayed, and its format."""

    bytes: int
    width: int
    height: int
    format: str


@dataclass(frozen=True)
class Rendition:
    """The encoded image, how to serve it, and the facts of the source and the output.

    `kept` is True where the output shows the source's own pixels at full size, because encoding them again made no
    smaller file.
    """

    body: bytes
    content_type: str
    source: ImageFacts
    output: ImageFacts
    kept: bool = False
