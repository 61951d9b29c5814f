"""An opened image -> its pixels at the output's size: decoded as small as possible, resized, and converted to sRGB."""

from __future__ import annotations

from functools import partial

from PIL import Image, ImageFile

from imgproc.pipeline.images.colour.colours import flatten, meaning_of, to_plain, to_srgb, white_of
from imgproc.pipeline.images.formats import SMART
from imgproc.pipeline.images.jpeg.jpeg_eighths import decode_eighths
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.images.orientation import orientation_of, turned_size
from imgproc.pipeline.images.resize import Box, reduce
from imgproc.pipeline.images.sizes import factor_of, scaled_size

FINEST_OF_EIGHTHS = 80  # Up to this quality the encoder loses more than decoding at eighths does (ADR 15).


def output_factor(image: Image.Image, options: CompressOptions) -> float:
    """The factor on the sides of an opened or decoded image; `options` mean the sides that are displayed."""
    if not (options.max_width or options.max_height):
        return factor_of(image.size, options)
    return factor_of(turned_size(image.size, orientation_of(image)), options)


def decode_resized(
    image: ImageFile.ImageFile, source: bytes, *, factor: float, options: CompressOptions, target: str
) -> Image.Image:
    """Decode, resize by `factor`, convert to sRGB: L, RGB or RGBA (never RGBA for a JPEG), in the file's orientation.

    Averaging whole blocks of pixels, in libjpeg or by `reduce`, looks as good as LANCZOS for one halving. Below a scale
    of 1/4 the averaging stops at twice the output's size, and LANCZOS does the rest.
    """
    image.decodermaxblock = len(source)  # One long call releases the GIL once, and not for every 64 KiB.
    size = scaled_size(image.size, factor)
    gap = 1 if factor > 0.25 else 2
    decoded, box = _decode(image, source, (size[0] * gap, size[1] * gap), by_eighths=_may_use_eighths(options, target))
    white, meaning = white_of(decoded), meaning_of(image)

    def finish(strip: Image.Image) -> Image.Image:
        strip = to_srgb(strip, meaning=meaning)
        return flatten(strip) if target == "jpeg" else strip

    if decoded.size == size:
        box = (0, 0, *size)
    return reduce(decoded, size=size, box=box, gap=gap, plain=partial(to_plain, white=white), finish=finish)


def _may_use_eighths(options: CompressOptions, target: str) -> bool:
    return target != "png" and options.quality != SMART and options.quality <= FINEST_OF_EIGHTHS


def _decode(
    image: ImageFile.ImageFile, source: bytes, least: tuple[int, int], *, by_eighths: bool
) -> tuple[Image.Image, Box]:
    """The smallest picture that the decoder gives with at least `least` pixels a side, and the part the image fills."""
    if by_eighths and (decoded := decode_eighths(image, source, least)):
        return decoded
    drafted = image.draft(None, least)
    image.load()
    return image, drafted[1] if drafted else (0, 0, *image.size)
