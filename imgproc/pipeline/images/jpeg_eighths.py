"""A JPEG decoded at 3, 5 or 6 eighths of its sides inside libjpeg; Pillow's decoder knows 1, 2, 4 and 8 only."""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

from PIL import Image, ImageFile

from imgproc.pipeline.images.resize import Box

BY_PILLOW = {1, 2, 4, 7, 8}  # Seven are dear to decode, and lose the most: then Pillow decodes in full.


def decode_eighths(image: ImageFile.ImageFile, source: bytes, least: tuple[int, int]) -> tuple[Image.Image, Box] | None:
    """`source`, whose header is `image`, in the fewest eighths that give `least` pixels, and the part they fill.

    The decoder rounds up, so the last row and column may be filled in part. None where it is for Pillow to decode: all
    but JPEGs in RGB, its own sizes, and damaged files, of which it knows what can be had.
    """
    width, height = image.size
    for eighths in range(1, 9):
        size = (math.ceil(width * eighths / 8), math.ceil(height * eighths / 8))
        if size[0] >= least[0] and size[1] >= least[1]:
            break
    if (image.format, image.mode) != ("JPEG", "RGB") or eighths in BY_PILLOW:
        return None
    try:
        pixels = _simplejpeg().decode_jpeg(
            source, "RGB", min_width=size[0], min_height=size[1], min_factor=1, fastdct=False, fastupsample=False
        )
    except ValueError:
        return None
    return Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1), (0, 0, width * eighths / 8, height * eighths / 8)


@cache
def _simplejpeg() -> Any:
    """The other way to libjpeg; most workers never need it, and spare its memory.

    It needs numpy, whose OpenBLAS would start a thread a core, and reserve 40 MB for each, to multiply matrices.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import simplejpeg  # noqa: PLC0415 - see above

    return simplejpeg
