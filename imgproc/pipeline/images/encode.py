"""A picture as a file: the four formats we write, and the settings that are worth their time."""

from __future__ import annotations

import io
import math
import os
import sys
import tempfile
import zlib
from typing import IO, Any

from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.avif_grid import encode_grid
from imgproc.pipeline.images.cost import IMAGE_BYTES, CpuTime, encoder_bytes
from imgproc.pipeline.images.faults import FAULTS

# These give nearly the bytes of the slower defaults at a fraction of their time. JPEGs get no Huffman tables of their
# own, which save 2% of a photograph (12% of a small product on white) and take a fifth more of the whole job. AVIF
# stays on one thread, as the cores are busy with other images.
ENCODERS: dict[str, dict[str, Any]] = {
    "jpeg": {},
    "webp": {"method": 2},
    "avif": {"speed": 8, "max_threads": 1},
    "png": {"compress_level": 4},
}
MAX_SIDE = {"jpeg": 65_500, "webp": 16_383, "avif": 32_768}  # as libjpeg, libwebp and most decoders of AVIF have it
LARGE_PNG, HUGE_PNG = (
    16 * 10**6,
    32 * 10**6,
)  # pixels; noise and fine patterns take a second for each 4, 7 and 9 million
AVIF_AT_ONCE = 6.0  # seconds at most of a picture that is encoded in one call


class _TimedBuffer(io.BytesIO):
    """A file in memory that takes no more once the time is used up: encoders of PNG write as they go."""

    def __init__(self, time: CpuTime | None) -> None:
        super().__init__()
        self._time = time

    def write(self, data: Any) -> int:
        if self._time is not None and self._time.left < 0:
            raise TimeoutError("no time left for more effort")
        return super().write(data)


def check_sides(size: tuple[int, int], *, target: str, scale: float = 1.0) -> None:
    """Refuse a picture wider or higher than the format holds; `scale` is what it was made with.

    Raises:
        CompressError: `encode_failed`.
    """
    most = MAX_SIDE.get(target)
    if most and max(size) > most:
        detail = f"{_name(target)} holds at most {most:,} pixels a side, and this picture has {size[0]} x {size[1]}"
        remedy = _remedy(scale * most / max(size), other="png")
        raise CompressError(f"{detail}; {remedy}.", code="encode_failed")


def _remedy(scale: float, *, other: str) -> str:
    hundredths = math.floor(scale * 100)
    smaller = f"a scale of {hundredths / 100:g} or less" if hundredths else "a much smaller scale"
    return f"try {smaller}, or the format {other}"


def encode(
    picture: Image.Image,
    *,
    target: str,
    quality: int,
    scale: float = 1.0,
    time: CpuTime | None = None,
    **effort: Any,
) -> bytes:
    """Encode with the usual effort, or with less where the picture is large; `effort` overrides settings.

    `scale` is what the picture was made with, to name one that works. With `time` a PNG ends when that does, as any
    AVIF in tiles does. JPEG goes through a real descriptor, to which libjpeg writes without holding the GIL.

    Raises:
        CompressError: `encode_failed`, where the format cannot hold the picture, or takes too much memory or time.
    """
    picture.info.clear()  # Some encoders copy comments and profiles from here.
    check_sides(picture.size, target=target, scale=scale)
    settings = {**ENCODERS[target], **_fitting(picture, target=target, quality=quality, scale=scale), **effort}
    try:
        if target == "avif" and not effort and not _is_for_one_call(picture, quality=quality):
            return encode_grid(picture, quality=quality, time=time or CpuTime(), **settings)
        with _scratch_file() if target == "jpeg" else _TimedBuffer(time) as stream:
            picture.save(stream, format=target, quality=quality, **settings)
            if isinstance(stream, io.BytesIO):
                return stream.getvalue()  # which is no copy
            stream.seek(0)
            return stream.read()
    except FAULTS as error:
        raise cannot_encode(picture, target=target) from error


def cannot_encode(picture: Image.Image, *, target: str) -> CompressError:
    """The error of a picture that its encoder refuses, or takes too long for."""
    sides = f"{picture.width} x {picture.height} pixels"
    detail = f"A picture of {sides} cannot be encoded as {target}; try another format or a smaller scale."
    return CompressError(detail, code="encode_failed")


def _fitting(picture: Image.Image, *, target: str, quality: int, scale: float) -> dict[str, Any]:
    """Settings of less effort for a large picture.

    Raises:
        CompressError: `encode_failed`, where even those take too much memory.
    """
    pixels, alpha = picture.width * picture.height, picture.mode == "RGBA"
    if target == "png" and pixels > LARGE_PNG:
        return {"compress_level": 1, **({"compress_type": zlib.Z_RLE} if pixels > HUGE_PNG else {})}
    if target != "webp" or encoder_bytes(pixels, target=target, quality=quality, alpha=alpha) <= IMAGE_BYTES:
        return {}
    least = encoder_bytes(pixels, target=target, quality=quality, alpha=alpha, least=True)
    if least > IMAGE_BYTES:
        what = "WebP with transparency" if alpha else "WebP"
        detail = f"{what} of {picture.width} x {picture.height} pixels takes too much memory to encode"
        remedy = _remedy(scale * math.sqrt(IMAGE_BYTES / least), other="avif")
        raise CompressError(f"{detail}; {remedy}.", code="encode_failed")
    return {"method": 0}


def _is_for_one_call(picture: Image.Image, *, quality: int) -> bool:
    """Whether an AVIF takes neither too much memory nor too much time in one piece, whatever the picture shows."""
    pixels, alpha = picture.width * picture.height, picture.mode == "RGBA"
    seconds = pixels / 10**6 * (0.4 + 0.005 * quality) * (1.6 if alpha else 1)
    return seconds <= AVIF_AT_ONCE and encoder_bytes(pixels, target="avif", quality=quality, alpha=alpha) <= IMAGE_BYTES


def _name(target: str) -> str:
    return {"jpeg": "JPEG", "webp": "WebP"}.get(target, target.upper())


def _scratch_file() -> IO[bytes]:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("rendition"), "w+b")
    return tempfile.TemporaryFile()
