"""`quality=smart`: the smallest file that looks no worse than the plain one.

What "no worse" means is found for each picture: as far from it, at output size, as its plain rendition of quality 50.
A stronger encoder reaches that with fewer bytes; a few probes find the lowest quality at which it does.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from PIL import Image, ImageChops

from imgproc.errors import CompressError
from imgproc.pipeline._image_encode import encode
from imgproc.pipeline._image_formats import FORMATS
from imgproc.pipeline._image_likeness import Layers, distance, layers
from imgproc.pipeline._mozjpeg import encode_mozjpeg

PLAIN_QUALITY = 50
PROBES = 5  # at most; three are usual
LOWEST, HIGHEST = 10, 89
CLOSE = 0.03  # A probe whose error is so little below what is allowed ends the search: a step of quality.
FALL = 0.025  # About so much of its error an encoder loses with each step of quality.
TINY = 1e-6  # An error may be 0.
SEARCHED_PIXELS = 16 * 1024 * 1024  # Beyond, coefficients and probes would take more memory than decoding does.


class _Probe(NamedTuple):
    """A quality, and the logarithm of its error over what is allowed."""

    quality: int
    excess: float


def encode_smart(picture: Image.Image, *, target: str) -> bytes:
    """The smallest file of `target` that looks no worse than the plain one; the plain one where there is none.

    Raises:
        CompressError: `encode_failed`, where the format cannot hold the picture.
    """
    plain = encode(picture, target=target, quality=PLAIN_QUALITY)
    if target == "png":
        return min([plain, *_lossless(picture)], key=len)
    if picture.width * picture.height > SEARCHED_PIXELS:
        return plain
    try:
        return min(plain, _search(picture, plain, target=target), key=len)
    except (CompressError, MemoryError):  # Trying for less costs no picture.
        return plain


def _search(picture: Image.Image, plain: bytes, *, target: str) -> bytes:
    """The smallest of a few probes that are good enough, each made where the ones before it point; or `plain`."""
    encoder, quality = STRONGER[target]
    reference = layers(picture)
    allowed = _error(reference, plain, target)
    worse = better = None
    best = plain
    for _ in range(PROBES):
        body = encoder(picture, quality)
        error = _error(reference, body, target)
        excess = math.log((error + TINY) / (allowed + TINY))
        if excess > 0:
            worse = _Probe(quality, excess)
        else:
            better, best = _Probe(quality, excess), body
        if -CLOSE <= excess <= 0 or (next_one := _next(worse, better)) is None:
            break
        quality = next_one
    return best


def _next(worse: _Probe | None, better: _Probe | None) -> int | None:
    """The quality between these where the error should be just what is allowed; None where none is left."""
    low, high = worse.quality + 1 if worse else LOWEST, better.quality - 1 if better else HIGHEST
    if low > high:
        return None
    if worse and better:
        part = worse.excess / (worse.excess - better.excess)
        guess = worse.quality + part * (better.quality - worse.quality)
    else:
        only = cast("_Probe", worse or better)
        guess = only.quality + only.excess / FALL
    return min(max(math.ceil(guess), low), high)


def _error(reference: Layers, body: bytes, target: str) -> float:
    return distance(reference, layers(FORMATS[target].open(io.BytesIO(body))))


# The encoder and the quality to try first.
STRONGER: dict[str, tuple[Callable[[Image.Image, int], bytes], int]] = {
    "jpeg": (encode_mozjpeg, 57),
    "webp": (lambda picture, quality: encode(picture, target="webp", quality=quality, method=6), 50),
    "avif": (lambda picture, quality: encode(picture, target="avif", quality=quality, speed=6), 50),
}


def _lossless(picture: Image.Image) -> Iterator[bytes]:
    """The same picture as PNG with more effort: in fewer channels where they hold it exactly."""
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    yield encode(picture, target="png", quality=PLAIN_QUALITY, compress_level=9)
    if picture.mode == "RGB" and picture.getcolors(256):
        paletted = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        if ImageChops.difference(paletted.convert("RGB"), picture).getbbox() is None:
            yield encode(paletted, target="png", quality=PLAIN_QUALITY, compress_level=9)
