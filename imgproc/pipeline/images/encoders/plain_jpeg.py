"""Encodes JPEG by libjpeg-turbo, with settings that suit each picture."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from PIL import Image

from imgproc.pipeline.images.encoders.scratch import written

# Huffman tables of its own save 2% of a photograph's bytes, and take as long as the rest of the encoder. So only a
# picture of few pixels gets them, which saves 5% to 20%, and one that its file shows to be smooth: 15% to 60% (ADR 31).
SMALL_PIXELS = 128 * 128
SMOOTH_BYTES_A_PIXEL = 0.05
WHITE_DC = 8 * 127  # the DC coefficient of a white block (ITU-T T.81, A.3.3)
LEAST_WHITE_DC = 8 * 126.5  # Decoders round this and above to white.


def save_jpeg(picture: Image.Image, *, quality: int, **settings: Any) -> bytes:
    """The picture, in mode L or RGB, as a sequential JPEG in which white stays white."""
    tables = _white_tables(quality)
    settings |= {"quality": 100, "qtables": tables} if tables else {"quality": quality}
    pixels = picture.width * picture.height
    body = None if pixels <= SMALL_PIXELS else _save(picture, **settings)
    if body is not None and len(body) > SMOOTH_BYTES_A_PIXEL * pixels:
        return body
    return _save(picture, optimize=True, **settings)


@cache
def _white_tables(quality: int) -> list[list[int]] | None:
    """The quantization tables of `quality` with a step that keeps white; None where they have one.

    White is the largest DC coefficient. Some steps round it down, to 254 or as far as 248.
    """
    body = _save(Image.new("RGB", (8, 8), "white"), quality=quality)
    with Image.open(io.BytesIO(body), formats=["JPEG"]) as plain:
        tables = [list(table) for _, table in sorted(plain.quantization.items())]
    usual = tables[0][0]
    tables[0][0] = next(step for step in range(usual, 0, -1) if round(WHITE_DC / step) * step >= LEAST_WHITE_DC)
    return None if tables[0][0] == usual else tables


def _save(picture: Image.Image, **settings: Any) -> bytes:
    """Encode to a real file descriptor: libjpeg writes to it without holding the GIL."""
    return written(lambda file: picture.save(file, format="jpeg", **settings))
