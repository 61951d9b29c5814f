"""The size of a rendition, from the size of the source and the options."""

from __future__ import annotations

import math

from imgproc.pipeline.images.notes import ImageNote
from imgproc.pipeline.images.options import CompressOptions

Size = tuple[int, int]


def scaled_size(size: Size, scale: float) -> Size:
    """`size` times `scale`, rounded to whole pixels, a half down (half of 2001 is 1000), and at least 1."""
    width, height = (max(1, math.ceil(length * scale - 0.5)) for length in size)
    return width, height


def factor_of(size: Size, options: CompressOptions) -> float:
    """The factor, at most 1, on the sides of a source that shows `size`.

    It is the scale, or less where that leaves more than `max_width` or `max_height`. Then `min_side` raises it: a side
    is never shrunk below that.
    """
    width, height = size
    most = min(options.scale, (options.max_width or width) / width, (options.max_height or height) / height)
    return max(most, min(1.0, (options.min_side or 0) / min(size)))


def fits(size: Size, options: CompressOptions) -> bool:
    """Whether `size` is within `max_width` and `max_height`."""
    width, height = size
    return width <= (options.max_width or width) and height <= (options.max_height or height)


def size_notes(source: Size, output: Size, options: CompressOptions) -> tuple[ImageNote, ...]:
    """The notes on requested sizes that the output does not have."""
    sides, notes = f"{output[0]} x {output[1]} pixels", []
    if options.min_side and min(output) < options.min_side:
        detail = f"The picture has {sides}, less than minSide={options.min_side}, because its source has no more."
        notes.append(ImageNote("below_min_side", f"{detail} Pictures are never enlarged."))
    if not fits(output, options):
        asked = {"maxWidth": options.max_width, "maxHeight": options.max_height, "minSide": options.min_side}
        limits = " and ".join(f"{name}={value}" for name, value in asked.items() if value)
        detail = (
            f"A picture of {source[0]} x {source[1]} pixels cannot have {limits}; minSide decided, so it has {sides}."
        )
        notes.append(ImageNote("above_max_size", detail))
    return tuple(notes)
