"""The options of a request: quality, scale and format of its renditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imgproc.core.errors import InvalidOption
from imgproc.pipeline.images.formats import (
    DEFAULT_FORMAT,
    DEFAULT_QUALITY,
    DEFAULT_SCALE,
    FORMAT_OPTIONS,
    KEEP,
    KEPT_AS,
    MAX_QUALITY,
    MAX_SCALE,
    MIN_QUALITY,
    MIN_SCALE,
    OUTPUT_FORMATS,
    SMART,
)


@dataclass(frozen=True)
class CompressOptions:
    """`quality` from 1 to 95, `scale` of width and height above 0 and up to 1, and `format`. PNG ignores the quality.

    Quality `smart` searches, for each picture, the smallest file that looks no worse than one of quality 50.
    Format `keep` keeps that of the source where browsers show it; HEIC and JPEG 2000 become JPEG, and all others PNG,
    which is lossless too.

    Raises:
        InvalidOption: on construction, for a value out of bounds.
    """

    quality: int | Literal["smart"] = DEFAULT_QUALITY
    scale: float = DEFAULT_SCALE
    format: str = DEFAULT_FORMAT

    def __post_init__(self) -> None:
        if self.quality != SMART and not MIN_QUALITY <= self.quality <= MAX_QUALITY:
            raise InvalidOption(f"Give a quality from {MIN_QUALITY} to {MAX_QUALITY}, or {SMART}.", option="quality")
        if not MIN_SCALE < self.scale <= MAX_SCALE:
            raise InvalidOption(f"Give a scale above {MIN_SCALE:g} and up to {MAX_SCALE:g}.", option="scale")
        if self.format not in FORMAT_OPTIONS:
            raise InvalidOption(f"Give one of the formats {', '.join(OUTPUT_FORMATS)} or {KEEP}.", option="format")

    def output_format(self, source_format: str) -> str:
        """The format to encode a source of `source_format` as."""
        if self.format != KEEP:
            return self.format
        return source_format if source_format in OUTPUT_FORMATS else KEPT_AS.get(source_format, "png")
