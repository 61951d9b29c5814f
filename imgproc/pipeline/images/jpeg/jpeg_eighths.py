"""Decodes a JPEG at 3, 5 or 6 eighths of its sides inside libjpeg; Pillow only offers 1, 2, 4 and 8."""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

from PIL import Image, ImageFile

from imgproc.pipeline.images.resize import Box

BY_PILLOW = {1, 2, 4, 7, 8}  # Seven eighths take long to decode and lose the most, so Pillow decodes in full.


def decode_eighths(image: ImageFile.ImageFile, source: bytes, least: tuple[int, int]) -> tuple[Image.Image, Box] | None:
    """Decode `source` at the fewest eighths that give `least` pixels a side; also return the part the image fills.

    The decoder rounds sizes up, so the image may fill the last row and column only in part. None where Pillow must
    decode: sizes that it offers, files that are not JPEGs in RGB, and damaged files, of which it saves what it can.
    """
    width, height = image.size
    for eighths in range(1, 9):
        size = (math.ceil(width * eighths / 8), math.ceil(height * eighths / 8))
        if size[0] >= least[0] and size[1] >= least[1]:
            break
    if (image.format, image.mode) != ("JPEG", "RGB") or eighths in BY_PILLOW:
        return None
    decoded = decode_rgb(source, size)
    return (decoded, (0, 0, width * eighths / 8, height * eighths / 8)) if decoded else None


def decode_rgb(source: bytes, size: tuple[int, int]) -> Image.Image | None:
    """Decode a JPEG in RGB at a size that libjpeg offers; None where it is damaged."""
    try:
        pixels = simplejpeg().decode_jpeg(
            source, "RGB", min_width=size[0], min_height=size[1], min_factor=1, fastdct=False, fastupsample=False
        )
    except ValueError:
        return None
    return Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1)


@cache
def simplejpeg() -> Any:
    """Import simplejpeg at first use: most workers never need it or its memory.

    It imports numpy, whose OpenBLAS starts a thread a core and reserves 40 MB for each, unless told otherwise.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import simplejpeg as library  # noqa: PLC0415 - see above

    return library
