"""Encodes a picture in one of the four formats we write, with settings that are worth their time."""

from __future__ import annotations

import io
import math
import zlib
from typing import Any

from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.encoders.avif_grid import encode_grid
from imgproc.pipeline.images.encoders.plain_jpeg import save_jpeg
from imgproc.pipeline.images.encoders.plain_webp import save_webp
from imgproc.pipeline.images.encoders.thin_colours import has_thin_colours
from imgproc.pipeline.images.encoders.white_avif import has_white_areas, marked_limited, to_limited
from imgproc.pipeline.images.formats import INPUT_FORMATS
from imgproc.pipeline.images.guards.cost import FULL_COLOUR, IMAGE_BYTES, CpuTime, encoder_bytes
from imgproc.pipeline.images.guards.faults import FAULTS

# These settings give nearly the bytes of the slower defaults in a fraction of their time. AVIF stays on one thread,
# because other images keep the cores busy.
ENCODERS: dict[str, dict[str, Any]] = {
    "jpeg": {},
    "webp": {"method": 2},
    "avif": {"speed": 8, "max_threads": 1},
    "png": {"compress_level": 4},
}
MAX_SIDE = {"jpeg": 65_500, "webp": 16_383, "avif": 32_768}  # the limits of libjpeg, libwebp and most AVIF decoders
# Pixels above which a PNG gets less effort. In a second, the usual effort encodes 4 million pixels of noise, that for
# large pictures 7 million, and that for huge ones 9 million.
LARGE_PNG, HUGE_PNG = 16 * 10**6, 32 * 10**6
# Pixels up to which thin strokes of strong colour keep colours at full size. Strokes of larger pictures are wider.
FULL_COLOUR_PIXELS = {"jpeg": 8 * 1024 * 1024, "webp": FULL_COLOUR, "avif": FULL_COLOUR}
AVIF_SECONDS = 6.0  # A picture that may take longer is encoded in tiles.


class _TimedBuffer(io.BytesIO):
    """A file in memory that refuses writes once the time is used up. The PNG encoder writes as it goes."""

    def __init__(self, time: CpuTime | None) -> None:
        super().__init__()
        self._time = time

    def write(self, data: Any) -> int:
        if self._time is not None and self._time.left < 0:
            raise TimeoutError("no time left for more effort")
        return super().write(data)


def check_sides(size: tuple[int, int], *, target: str, scale: float = 1.0) -> None:
    """Refuse a picture wider or higher than the format allows; `scale` is the one it was resized by.

    Raises:
        CompressError: `encode_failed`.
    """
    most = MAX_SIDE.get(target)
    if most and max(size) > most:
        name, sides = INPUT_FORMATS[target].name, f"{size[0]} x {size[1]}"
        detail = f"{name} holds at most {most:,} pixels a side, and this picture has {sides}"
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

    `scale` is the one the picture was resized by; an error names a smaller one that works. `time` bounds a PNG and an
    AVIF of tiles.

    Raises:
        CompressError: `encode_failed`, where the format cannot hold the picture, or encoding takes too much memory or
            time.
    """
    picture.info.clear()  # Some encoders copy comments and profiles from it.
    check_sides(picture.size, target=target, scale=scale)
    settings = {**ENCODERS[target], **_large_settings(picture, target, quality, scale), **effort}
    if "lossless" not in effort and keeps_full_colours(picture, target):
        settings |= {"sharp": True} if target == "webp" else {"subsampling": "4:4:4"}
    try:
        if target == "avif" and not effort and not _fits_one_call(picture, quality=quality):
            return encode_grid(picture, quality=quality, time=time or CpuTime(), **settings)
        if target == "avif" and has_white_areas(picture):
            limited = to_limited(picture, quality=quality)
            return marked_limited(_save(limited, target, time, quality=quality, **settings))
        return _save(picture, target, time, quality=quality, **settings)
    except FAULTS as error:
        sides = f"{picture.width} x {picture.height} pixels"
        detail = f"A picture of {sides} cannot be encoded as {target}; try another format or a smaller scale."
        raise CompressError(detail, code="encode_failed") from error


def keeps_full_colours(picture: Image.Image, target: str) -> bool:
    """Whether thin strokes need colours at full size. PNG always has it; WebP only has a sharper half size."""
    return picture.width * picture.height <= FULL_COLOUR_PIXELS.get(target, 0) and has_thin_colours(picture)


def _save(picture: Image.Image, target: str, time: CpuTime | None, **settings: Any) -> bytes:
    if target == "jpeg":
        return save_jpeg(picture, **settings)
    if target == "webp" and "lossless" not in settings:
        return save_webp(picture, **{"sharp": False} | settings)
    with _TimedBuffer(time) as stream:
        picture.save(stream, format=target, **settings)
        return stream.getvalue()  # This makes no copy.


def _large_settings(picture: Image.Image, target: str, quality: int, scale: float) -> dict[str, Any]:
    """The settings that give a large picture less effort; none for others.

    Raises:
        CompressError: `encode_failed`, where even the least effort takes too much memory.
    """
    pixels, alpha = picture.width * picture.height, picture.mode == "RGBA"
    if target == "png" and pixels > HUGE_PNG:
        return {"compress_level": 1, "compress_type": zlib.Z_RLE}
    if target == "png" and pixels > LARGE_PNG:
        return {"compress_level": 1}
    if target != "webp" or encoder_bytes(pixels, target=target, quality=quality, alpha=alpha) <= IMAGE_BYTES:
        return {}
    least = encoder_bytes(pixels, target=target, quality=quality, alpha=alpha, least=True)
    if least > IMAGE_BYTES:
        what = "WebP with transparency" if alpha else "WebP"
        detail = f"{what} of {picture.width} x {picture.height} pixels takes too much memory to encode"
        remedy = _remedy(scale * math.sqrt(IMAGE_BYTES / least), other="avif")
        raise CompressError(f"{detail}; {remedy}.", code="encode_failed")
    return {"method": 0}


def _fits_one_call(picture: Image.Image, *, quality: int) -> bool:
    """Whether one call encodes the picture as AVIF within memory and time, whatever it shows."""
    pixels, alpha = picture.width * picture.height, picture.mode == "RGBA"
    seconds = pixels / 10**6 * (0.4 + 0.005 * quality) * (1.6 if alpha else 1)
    return seconds <= AVIF_SECONDS and encoder_bytes(pixels, target="avif", quality=quality, alpha=alpha) <= IMAGE_BYTES
