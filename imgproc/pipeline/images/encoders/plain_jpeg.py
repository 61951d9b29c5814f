"""Encodes JPEG by libjpeg-turbo, with settings that suit each picture."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from PIL import Image

from imgproc.pipeline.images.encoders import libjpeg
from imgproc.pipeline.images.encoders.huffman import completed, sampled
from imgproc.pipeline.images.encoders.scratch import written

# A small, low or smooth picture takes little time, so it gets the best Huffman tables; others get those of a sample
# (ADR 42).
SMALL_PIXELS = 320 * 320  # A sample of so few pixels takes as long as all.
LOW_ROWS = 128  # too few to take stripes from
SMOOTH_BYTES_A_PIXEL = 0.05


def save_jpeg(picture: Image.Image, *, quality: int, subsampling: str = "4:2:0") -> bytes:
    """The picture, in mode L or RGB, as a sequential JPEG in which white stays white."""
    if not libjpeg.is_available():
        return _save_by_pillow(picture, quality=quality, subsampling=subsampling)
    pixels, full_colours, tables = picture.width * picture.height, subsampling == "4:4:4", None
    if pixels > SMALL_PIXELS and picture.height >= LOW_ROWS:
        sample, share = sampled(picture, quality=quality, full_colours=full_colours)
        if len(sample.body) > SMOOTH_BYTES_A_PIXEL * share * pixels:
            tables = completed(sample.tables)
    return libjpeg.encode_jpeg(picture, quality=quality, full_colours=full_colours, tables=tables).body


def _save_by_pillow(picture: Image.Image, *, quality: int, subsampling: str) -> bytes:
    """The same pixels with the standard Huffman tables, in more bytes."""
    tables = _white_tables(quality)
    settings: dict[str, Any] = {"qtables": tables} if tables else {"quality": quality}  # Pillow takes one of both.
    return _save(picture, subsampling=subsampling, **settings)


@cache
def _white_tables(quality: int) -> list[list[int]] | None:
    """The quantization tables of `quality` with a step that keeps white; None where they have one."""
    body = _save(Image.new("RGB", (8, 8), "white"), quality=quality)
    with Image.open(io.BytesIO(body), formats=["JPEG"]) as plain:
        tables = [list(table) for _, table in sorted(plain.quantization.items())]
    usual = tables[0][0]
    tables[0][0] = libjpeg.white_step(usual)
    return None if tables[0][0] == usual else tables


def _save(picture: Image.Image, **settings: Any) -> bytes:
    """Encode to a real file descriptor: libjpeg writes to it without holding the GIL."""
    return written(lambda file: picture.save(file, format="jpeg", **settings))
