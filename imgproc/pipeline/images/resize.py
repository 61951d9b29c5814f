"""Resizes a decoded picture in strips of rows, so that no step needs a copy of the whole.

On a whole picture, each step (plain colours, averages, colour management) would take another four bytes a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

from PIL import Image

STRIP_PIXELS = 4 * 1024 * 1024  # 16 MiB. A photograph of 16 megapixels, halved by its decoder, is one strip.
COARSE = 8  # rows to a block; from this size on, a strip of the result may depend on most of the source
LANCZOS_REACH = 3  # pixels of the small picture that have weight, to either side

Work = Callable[[Image.Image], Image.Image]
Box = tuple[float, float, float, float]


def reduce(image: Image.Image, *, size: tuple[int, int], box: Box, gap: int, plain: Work, finish: Work) -> Image.Image:
    """Resize the part of `image` in `box`, which starts at the top left, to `size`.

    `plain` runs on each strip before, and `finish` after; both must treat every pixel alike. In between, whole blocks
    are averaged down to `gap` times the size, and LANCZOS does the rest. The result is `image` itself where nothing
    changes.
    """
    pixel = image.crop((0, 0, 1, 1))
    if size == image.size and finish(plain(pixel)) is pixel:
        return image  # If converting one pixel changes nothing, converting the image changes nothing.
    factor = (max(1, int(box[2] / size[0] / gap)), max(1, int(box[3] / size[1] / gap)))
    if factor[1] >= COARSE:
        return finish(_average_and_scale(image, size, box=box, factor=factor, plain=plain))
    rows = max(1, math.ceil(STRIP_PIXELS * size[1] / (image.width * image.height)))
    picture = None
    for top in range(0, size[1], rows):
        bottom = min(size[1], top + rows)
        strip, part = _cut(image, top, bottom, step=box[3] / factor[1] / size[1], block=factor[1])
        part_box = (0, part[0], box[2] / factor[0], part[1])
        small = finish(_scale(plain(strip), (size[0], bottom - top), box=part_box, factor=factor))
        if small.size == size:
            return small
        picture = picture or Image.new(small.mode, size)
        picture.paste(small, (0, top))
    return cast("Image.Image", picture)


def _average_and_scale(
    image: Image.Image, size: tuple[int, int], *, box: Box, factor: tuple[int, int], plain: Work
) -> Image.Image:
    """Average whole blocks in strips, and scale the small result in one piece."""
    across, down = factor
    height = max(1, STRIP_PIXELS // (image.width * down)) * down
    averages = None
    for top in range(0, image.height, height):
        strip = plain(image.crop((0, top, image.width, min(image.height, top + height))))
        part = (strip.convert("RGBa") if strip.mode == "RGBA" else strip).reduce(factor)
        averages = averages or Image.new(part.mode, (part.width, math.ceil(image.height / down)))
        averages.paste(part, (0, top // down))
    left = cast("Image.Image", averages)
    small = left.resize(size, Image.Resampling.LANCZOS, box=(0, 0, box[2] / across, box[3] / down))
    return small.convert("RGBA") if small.mode == "RGBa" else small


def _cut(
    image: Image.Image, top: int, bottom: int, *, step: float, block: int
) -> tuple[Image.Image, tuple[float, float]]:
    """Cut the strip that the rows from `top` to `bottom` depend on; also return where they start and end in it.

    Both are counted in blocks; a row of the small picture is `step` blocks high. The strip starts at a whole block, so
    that no seams show.
    """
    reach = 0 if step == 1 else math.ceil(LANCZOS_REACH * max(1, step)) + 1
    first = max(0, math.floor(top * step) - reach)
    last = min(math.ceil(image.height / block), math.ceil(bottom * step) + reach)
    edges = (0, first * block, image.width, min(image.height, last * block))
    strip = image if edges == (0, 0, *image.size) else image.crop(edges)
    return strip, (top * step - first, min(bottom * step, last) - first)


def _scale(strip: Image.Image, size: tuple[int, int], *, box: Box, factor: tuple[int, int]) -> Image.Image:
    """Scale with premultiplied alpha, so that the colours of transparent pixels have no weight."""
    if size == strip.size and box == (0, 0, *size):
        return strip
    small = strip.convert("RGBa") if strip.mode == "RGBA" else strip
    if factor != (1, 1):
        small = small.reduce(factor)
    if size != small.size or box != (0, 0, *size):
        small = small.resize(size, Image.Resampling.LANCZOS, box=box)
    return small.convert("RGBA") if strip.mode == "RGBA" else small
