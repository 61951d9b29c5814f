"""Encodes JPEG for `quality=smart`: the looks of quality 50 in fewer bytes.

The quantization tables of quality 50 spoil colours and spend bytes on what is hardly seen. These are by S. A. Klein,
A. D. Silverstein and T. Carney, "Relevance of human vision to JPEG-DCT compression" (1992), as in mozjpeg. ADR 44 says
how their scales were chosen. In the end mozjpeg encodes the coefficients again without loss, as a progressive JPEG.
"""

from __future__ import annotations

from typing import Any, cast

from PIL import Image

from imgproc.pipeline.images.encoders import libjpeg
from imgproc.pipeline.images.encoders.encode import keeps_full_colours

# Scales of the table, for lightness and for colours at half size. The fine ones are for what the usual ones spoil.
USUAL, FINE = (1.18, 1.02), (0.94, 0.75)
LARGEST = 255  # of a step in a baseline JPEG (ITU-T T.81, B.2.4.1)
TABLE = (
    *(10, 12, 14, 19, 26, 38, 57, 86),
    *(12, 18, 21, 28, 35, 41, 54, 76),
    *(14, 21, 25, 32, 44, 63, 92, 136),
    *(19, 28, 32, 41, 54, 75, 107, 157),
    *(26, 35, 44, 54, 70, 95, 132, 190),
    *(38, 41, 63, 75, 95, 125, 170, 239),
    *(57, 54, 92, 107, 132, 170, 227, 312),
    *(86, 76, 136, 157, 190, 239, 312, 419),
)


def encode_strong(picture: Image.Image, *, scales: tuple[float, float] = USUAL) -> bytes:
    """The picture, in mode L or RGB, as a sequential JPEG with the best Huffman tables."""
    full = keeps_full_colours(picture, "jpeg")
    lightness, colours = ([min(LARGEST, round(scale * step)) for step in TABLE] for scale in scales)
    steps = (lightness, lightness if full else colours)
    return libjpeg.encode_jpeg(picture, quality=50, full_colours=full, steps=steps).body


def repacked(body: bytes) -> bytes:
    """The same coefficients as a progressive JPEG, if that is smaller. The body must be one that we encoded.

    mozjpeg ends the process at some damaged files.
    """
    return min(body, cast("bytes", _mozjpeg().optimize(body)), key=len)


def _mozjpeg() -> Any:
    """Import mozjpeg at first use: most workers never need it or its memory."""
    import mozjpeg_lossless_optimization as library  # noqa: PLC0415 - see above

    return library
