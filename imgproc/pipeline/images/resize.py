"""A decoded picture made small in strips of rows, so that beside it there is little more than the small one.

Each step of the work on a whole picture (plain colours, averages, managed colours) would take another copy of it, of
four bytes a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

from PIL import Image

STRIP_PIXELS = 4 * 1024 * 1024  # 16 MiB. A photograph of 16 megapixels, halved by its decoder, is one strip.
COARSE = 8  # Rows to a block; from here on a row of the smaller picture may depend on most of the larger one.
LANCZOS_REACH = 3  # So many pixels to either side have weight, in pixels of the smaller picture.

Work = Callable[[Image.Image], Image.Image]
Box = tuple[float, float, float, float]


def reduce(image: Image.Image, *, size: tuple[int, int], box: Box, gap: int, plain: Work, finish: Work) -> Image.Image:
    """The part of `image` in `box`, which begins at the top left, as a picture of `size`.

    `plain` comes before, `finish` after, and both must treat each pixel alike, as they get strips. In between whole
    blocks are averaged, as many as leave `gap` times the size, and LANCZOS does the rest. Where nothing is changed the
    result is `image` itself.
    """
    pixel = image.crop((0, 0, 1, 1))
    if size == image.size and finish(plain(pixel)) is pixel:
        return image  # What leaves one pixel untouched leaves all.
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
    """Average whole blocks in strips, and scale what that leaves, which is small, in one piece."""
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
    """What these rows of the picture depend on, and where in it they begin and end, in blocks.

    A row of the picture is `step` blocks high. What is cut begins at a whole block, else there would be seams.
    """
    reach = 0 if step == 1 else math.ceil(LANCZOS_REACH * max(1, step)) + 1
    first = max(0, math.floor(top * step) - reach)
    last = min(math.ceil(image.height / block), math.ceil(bottom * step) + reach)
    edges = (0, first * block, image.width, min(image.height, last * block))
    strip = image if edges == (0, 0, *image.size) else image.crop(edges)
    return strip, (top * step - first, min(bottom * step, last) - first)


def _scale(strip: Image.Image, size: tuple[int, int], *, box: Box, factor: tuple[int, int]) -> Image.Image:
    """Colours behind transparency have no weight: they are multiplied by it before, and divided after."""
    if size == strip.size and box == (0, 0, *size):
        return strip
    small = strip.convert("RGBa") if strip.mode == "RGBA" else strip
    if factor != (1, 1):
        small = small.reduce(factor)
    if size != small.size or box != (0, 0, *size):
        small = small.resize(size, Image.Resampling.LANCZOS, box=box)
    return small.convert("RGBA") if strip.mode == "RGBA" else small
