"""The options of a request: quality, size and format of its renditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from imgproc.core.errors import InvalidOption
from imgproc.pipeline.images.formats import (
    DEFAULT_FORMAT,
    DEFAULT_QUALITY,
    DEFAULT_SCALE,
    FORMAT_OPTIONS,
    KEEP,
    KEPT_AS,
    LARGER_OPTIONS,
    MAX_QUALITY,
    MAX_SCALE,
    MAX_SIZE,
    MIN_QUALITY,
    MIN_SCALE,
    OUTPUT_FORMATS,
    SMART,
)

# Options that are stored only where they are given, by their names on the wire. So the stored options of earlier
# versions, which lack them, stay equal to the same options of today.
GIVEN = {"larger": "larger", "maxWidth": "max_width", "maxHeight": "max_height", "minSide": "min_side"}


@dataclass(frozen=True)
class CompressOptions:
    """`quality` from 1 to 95, `scale` of width and height above 0 and up to 1, and `format`. PNG ignores the quality.

    Quality `smart` makes a smaller file that looks about as good as one of quality 50.
    Format `keep` keeps that of the source where browsers show it; HEIC and JPEG 2000 become JPEG, and all others PNG,
    which is lossless too.

    `larger` says what to do with a rendition larger than its source: `keep` it, or store the picture of the `source`.
    `max_width` and `max_height` bound the displayed sides in pixels, after the scale. No side is shrunk below
    `min_side` pixels, whatever the others say. Nothing is ever enlarged.

    Raises:
        InvalidOption: on construction, for a value out of bounds.
    """

    quality: int | Literal["smart"] = DEFAULT_QUALITY
    scale: float = DEFAULT_SCALE
    format: str = DEFAULT_FORMAT
    larger: str = KEEP
    max_width: int | None = None
    max_height: int | None = None
    min_side: int | None = None

    def __post_init__(self) -> None:
        if self.quality != SMART and not MIN_QUALITY <= self.quality <= MAX_QUALITY:
            raise InvalidOption(f"Give a quality from {MIN_QUALITY} to {MAX_QUALITY}, or {SMART}.", option="quality")
        if not MIN_SCALE < self.scale <= MAX_SCALE:
            raise InvalidOption(f"Give a scale above {MIN_SCALE:g} and up to {MAX_SCALE:g}.", option="scale")
        if self.format not in FORMAT_OPTIONS:
            raise InvalidOption(f"Give one of the formats {', '.join(OUTPUT_FORMATS)} or {KEEP}.", option="format")
        if self.larger not in LARGER_OPTIONS:
            raise InvalidOption(f"Give {' or '.join(LARGER_OPTIONS)}.", option="larger")
        self._check_sizes()

    def _check_sizes(self) -> None:
        sizes = {"maxWidth": self.max_width, "maxHeight": self.max_height, "minSide": self.min_side}
        for name, size in sizes.items():
            if size is not None and not 1 <= size <= MAX_SIZE:
                raise InvalidOption(f"Give a whole number of pixels from 1 to {MAX_SIZE}.", option=name)
        for name in ("maxWidth", "maxHeight"):
            most = sizes[name]
            if self.min_side and most and self.min_side > most:
                detail = f"minSide={self.min_side} is more than {name}={most}; give a minSide up to {most}."
                raise InvalidOption(detail, option="minSide")

    def as_json(self) -> dict[str, Any]:
        """The options by their names on the wire, without those of `GIVEN` that have their defaults."""
        given = {name: getattr(self, field) for name, field in GIVEN.items()}
        given = {name: value for name, value in given.items() if value not in {None, KEEP}}
        return {"quality": self.quality, "scale": self.scale, "format": self.format, **given}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CompressOptions:
        """The options that `as_json` gave."""
        return cls(**{GIVEN.get(name, name): value for name, value in stored.items()})

    def output_format(self, source_format: str) -> str:
        """The format to encode a source of `source_format` as."""
        if self.format != KEEP:
            return self.format
        return source_format if source_format in OUTPUT_FORMATS else KEPT_AS.get(source_format, "png")
