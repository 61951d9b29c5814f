"""Encodes a lossless WebP again. A lossy one cannot be encoded again without loss, so it is not kept."""

from __future__ import annotations

import io

from imgproc.pipeline.images.encoders.encode import encode
from imgproc.pipeline.images.guards.cost import CpuTime
from imgproc.pipeline.images.readers import open_image

LOSSLESS_CHUNK = b"VP8L"  # RFC 9649, 2.6
SECONDS_A_PIXEL = 0.8 / 10**6  # to decode and encode it
MAX_PIXELS = 8 * 1024 * 1024  # The encoder takes 30 bytes a pixel.


def keep_webp(source: bytes, time: CpuTime) -> bytes | None:
    """The same pixels and transparency; None where the picture is lossy, too large, or needs more `time` than is left.

    A lossy file that contains the name of the chunk by chance is encoded for nothing: the result is larger.
    """
    if LOSSLESS_CHUNK not in source:
        return None
    with open_image(io.BytesIO(source), "webp") as image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS or SECONDS_A_PIXEL * pixels > time.left:
            return None
        image.load()
        return encode(image, target="webp", quality=100, lossless=True, exact=True, method=4)
