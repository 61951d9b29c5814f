"""Keeps white white in AVIF of low quality, whose encoder may leave it a level darker."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageChops, ImageFilter

from imgproc.pipeline.images.cost import CpuTime
from imgproc.pipeline.images.readers import open_image

BELOW = 34  # Qualities from here on keep white, but for single spots.
STEP = 2  # of quality, which is one of the encoder
TRIES = 4
BLOCK = 8  # pixels a side; white that has only white blocks beside it must stay white
ONLY_WHITE = [0] * 255 + [255]


def with_white(picture: Image.Image, quality: int, encode: Callable[[int], bytes], time: CpuTime) -> bytes:
    """What `encode` makes of `picture` at `quality`, or at the next that keeps its white areas, within `time`."""
    started = time.left
    body = encode(quality)
    taken = started - time.left
    if quality >= BELOW or not (white := _white_areas(picture)).getbbox():
        return body
    for each in range(quality + STEP, quality + STEP * TRIES, STEP):
        if time.left < taken or not _darkens(body, white):
            break
        body = encode(each)
    return body


def _white_areas(picture: Image.Image) -> Image.Image:
    blocks = _darkest(picture).point(ONLY_WHITE).reduce(BLOCK).point(ONLY_WHITE)
    return blocks.filter(ImageFilter.MinFilter(3))


def _darkens(body: bytes, white: Image.Image) -> bool:
    with open_image(io.BytesIO(body), "avif") as made:
        blocks = _darkest(made).reduce(BLOCK)
    return ImageChops.subtract(white, blocks).getbbox() is not None


def _darkest(image: Image.Image) -> Image.Image:
    """The smallest sample of each pixel."""
    red, green, blue = image.convert("RGB").split()
    return ImageChops.darker(ImageChops.darker(red, green), blue)
