"""Photographs to measure with: those of scikit-image (public domain), as a mosaic in camera sizes.

Tiles keep the detail of real pictures. An enlarged photograph would be smooth, and every codec would be faster on it.
"""

from __future__ import annotations

from functools import cache
from itertools import cycle
from typing import Any

from PIL import Image, ImageOps

from tests.support.photographs import encode, photo

SIZES = {"S": (800, 800), "M": (2000, 2000), "L": (4000, 3000), "XL": (6000, 4000)}
SOURCE_QUALITY = 90


@cache
def mosaic(size: tuple[int, int]) -> Image.Image:
    """The photographs side by side, row by row; every other row is mirrored."""
    tiles = [photo(name) for name in ("astronaut", "coffee", "chelsea", "rocket")]
    tiles = [tile.resize((tile.width * 300 // tile.height, 300), Image.Resampling.LANCZOS) for tile in tiles]
    canvas = Image.new("RGB", size)
    turn = cycle(tiles)
    for row, y in enumerate(range(0, size[1], 300)):
        x = -(row * 137 % 300)
        while x < size[0]:
            tile = next(turn)
            canvas.paste(ImageOps.mirror(tile) if row % 2 else tile, (x, y))
            x += tile.width
    return canvas


@cache
def jpeg(name: str, **options: Any) -> bytes:
    """One of `SIZES` as a camera writes it; `options` go to Pillow's encoder."""
    return encoded(name, "JPEG", **({"quality": SOURCE_QUALITY} | options))


@cache
def thumbnail(side: int) -> bytes:
    """A square JPEG of `side` pixels a side, from the corner of the mosaic."""
    return encode(mosaic((side, side)), "JPEG", quality=SOURCE_QUALITY)


@cache
def encoded(name: str, image_format: str, **options: Any) -> bytes:
    """One of `SIZES` in any of Pillow's formats."""
    return encode(mosaic(SIZES[name]), image_format, **options)
