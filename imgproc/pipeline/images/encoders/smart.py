"""`quality=smart`: a smaller file with the looks of quality 50.

A JPEG gets quantization tables that suit the eye better. For WebP and AVIF each picture sets its own measure: the
visible difference between it and its plain rendition of quality 50. More effort reaches the same difference with fewer
bytes, and a few probes find the lowest quality that does. A PNG gets more effort.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from PIL import Image, ImageChops

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.encoders.encode import encode
from imgproc.pipeline.images.encoders.libjpeg import is_available
from imgproc.pipeline.images.encoders.likeness import Layers, distance, layers
from imgproc.pipeline.images.encoders.strong_jpeg import FINE, encode_strong, repacked
from imgproc.pipeline.images.guards.cost import IMAGE_BYTES, CpuTime
from imgproc.pipeline.images.guards.faults import FAULTS
from imgproc.pipeline.images.readers import open_image

PLAIN_QUALITY = 50
PROBES = 5  # at most; three are usual
LOWEST, HIGHEST = 10, 89
CLOSE = 0.03  # A probe this little below the allowed error ends the search; it is about one step of quality.
FALL = 0.025  # about how much each step of quality lowers an encoder's error, as a share of it
SPOILED = 0.825  # of the plain file: smaller JPEGs lose in looks, by SSIMULACRA 2 (ADR 44)
TINY = 1e-6  # avoids the logarithm of 0
SEARCHED_PIXELS = 16 * 1024 * 1024  # Searching larger pictures takes too much time and memory.


class _Probe(NamedTuple):
    """A quality, and the logarithm of its error divided by the allowed error."""

    quality: int
    excess: float


class Encoded(NamedTuple):
    """A file, and its visible difference from the picture; None if nothing has measured it."""

    body: bytes
    error: float | None


def encode_smart(picture: Image.Image, *, target: str, scale: float, time: CpuTime) -> Encoded:
    """The smallest file of `target` found within `time` that looks no worse than the plain file of quality 50.

    If none is found, it is the plain file.

    `scale` is the one the picture was resized by.

    Raises:
        CompressError: `encode_failed`, where the format cannot hold the picture.
    """
    best = encode_plain(picture, target=target, quality=PLAIN_QUALITY, scale=scale)
    pixels = picture.width * picture.height
    each = SEARCH_BYTES[target, picture.mode == "RGBA"]
    if pixels > SEARCHED_PIXELS or pixels * each > IMAGE_BYTES:
        return best
    try:
        for found in _smaller(picture, best.body, target=target, time=time):
            best = min(found, best, key=_size)
    except (CompressError, *FAULTS):  # A failed search loses nothing.
        return best
    return best


def encode_plain(picture: Image.Image, *, target: str, quality: int, scale: float) -> Encoded:
    """The file of one quality. Only a PNG is known to look the same.

    Raises:
        CompressError: `encode_failed`, where the format cannot hold the picture.
    """
    body = encode(picture, target=target, quality=quality, scale=scale)
    return Encoded(body, 0.0 if target == "png" else None)


def _size(encoded: Encoded) -> int:
    return len(encoded.body)


def _smaller(picture: Image.Image, plain: bytes, *, target: str, time: CpuTime) -> Iterator[Encoded]:
    if target == "png":
        yield from _lossless(picture, time)
    elif target == "jpeg":
        yield _strong(picture, plain, time)
    else:
        yield _search(picture, plain, target=target, time=time)


def _strong(picture: Image.Image, plain: bytes, time: CpuTime) -> Encoded:
    """The JPEG of other tables, packed; or `plain`, if that is smaller or libjpeg is not one we know."""
    body = plain
    if is_available():
        strong = encode_strong(picture)
        if len(strong) < SPOILED * len(plain):
            strong = encode_strong(picture, scales=FINE)
        body = min(plain, strong, key=len)
    if _cost(picture, body, "jpeg") <= time.left:
        body = repacked(body)
    return Encoded(body, _error(layers(picture), body, "jpeg"))


def _search(picture: Image.Image, plain: bytes, *, target: str, time: CpuTime) -> Encoded:
    """The smallest of a few probes that are good enough, or `plain`; the errors of earlier probes choose the next."""
    encoder, quality = STRONGER[target]
    cost = _cost(picture, plain, target)
    reference = layers(picture)
    allowed = _error(reference, plain, target)
    worse = better = None
    best = kept = Encoded(plain, allowed)
    for _ in range(PROBES):
        before = time.left
        if cost > before:
            break
        body = encoder(picture, quality)
        error = _error(reference, body, target)
        excess = math.log((error + TINY) / (allowed + TINY))
        if excess > 0:
            worse = _Probe(quality, excess)
        else:
            better, best = _Probe(quality, excess), Encoded(body, error)
        cost = DEARER * (before - time.left)
        if -CLOSE <= excess <= 0 or (next_one := _next(worse, better)) is None:
            break
        quality = next_one
    return min(best, kept, key=_size)


def _cost(picture: Image.Image, body: bytes, target: str) -> float:
    """Seconds that more effort may take: more for pictures whose file is large."""
    for_pixels, for_bytes = SECONDS_A_MILLION[target]
    return (for_pixels * picture.width * picture.height + for_bytes * len(body)) / 10**6


def _next(worse: _Probe | None, better: _Probe | None) -> int | None:
    """The quality between these whose error should equal the allowed one; None where none is left."""
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
    return distance(reference, layers(open_image(io.BytesIO(body), target)))


# The encoder of each format, and the quality it tries first.
STRONGER: dict[str, tuple[Callable[[Image.Image, int], bytes], int]] = {
    "webp": (
        lambda picture, quality: encode(picture, target="webp", quality=quality, method=_webp_method(picture)),
        50,
    ),
    "avif": (lambda picture, quality: encode(picture, target="avif", quality=quality, speed=6), 50),
}


# Seconds that a probe, or mozjpeg, takes for a million pixels, and for a million bytes of the file: the most that was
# measured on noise, gradients and black and white dots.
SECONDS_A_MILLION = {"jpeg": (0.03, 0.3), "webp": (0.15, 0.6), "avif": (0.4, 1.5)}
DEARER = 2  # A probe may take this many times as long as the one before: a higher quality takes longer.
# Bytes a pixel while a probe is encoded or compared, the picture included, without and with transparency.
SEARCH_BYTES = {
    ("jpeg", False): 24,
    ("webp", False): 34,
    ("avif", False): 33,
    ("png", False): 24,
    ("webp", True): 45,
    ("avif", True): 60,
    ("png", True): 24,
}


def _webp_method(picture: Image.Image) -> int:
    """The most effort that pays: with transparency, 6 takes a hundred times longer for an eighth fewer bytes."""
    return 4 if picture.mode == "RGBA" else 6


def _lossless(picture: Image.Image, time: CpuTime) -> Iterator[Encoded]:
    """The same picture as PNG with more effort, and with a palette or without alpha where that loses nothing."""
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    yield Encoded(encode(picture, target="png", quality=PLAIN_QUALITY, time=time, compress_level=9), 0.0)
    if picture.mode == "RGB" and picture.getcolors(256):
        paletted = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        if ImageChops.difference(paletted.convert("RGB"), picture).getbbox() is None:
            yield Encoded(encode(paletted, target="png", quality=PLAIN_QUALITY, time=time, compress_level=9), 0.0)
