"""Refuses images whose decoder would take too much memory or time, by their header.

Some decoders hold several copies of a picture while they decode it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from PIL import ImageFile
from PIL import TiffImagePlugin as TiffTag
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.jpeg2000 import decoder_bytes
from imgproc.pipeline.images.child_process.svg_pictures import PIXEL_BYTES
from imgproc.pipeline.images.guards.cost import IMAGE_BYTES
from imgproc.pipeline.images.guards.parts import unusual

MAX_TAG_BYTES = 1024 * 1024  # of a TIFF tag that is a table of numbers; enough for one strip a row

BYTES_A_PIXEL = 7  # of memory while an image is decoded: the picture takes 4, the resized one the rest
DECODED_BYTES = 12  # a pixel: TIFFs of more samples take too much time
WEBP_BYTES = 12  # a pixel: libwebp keeps two canvases, and Pillow copies one
AVIF_BYTES = 17  # a pixel: four planes of 12 bits, the pixels, and a copy; the header may lie about the bits
COEFFICIENT_BYTES = 2  # a sample: libjpeg keeps all coefficients until the last scan
PROGRESSIVE_BYTES = 1.06  # a pixel, beside the coefficients, at half the size; measured at 50 million pixels
PICTURE_BYTES = 4  # a pixel of a picture decoded in full
HALF = 0.5  # Up to this factor on the sides, libjpeg makes the picture smaller while it decodes.
LEAST_BUDGET = 64 * 1024 * 1024  # bytes, however low `max_pixels` is
YCBCR = 6  # a PhotometricInterpretation (TIFF 6.0)
JPEG_INSIDE = (6, 7)  # Compressions (TIFF 6.0, and its technical note 2)

_NUMBERS = {3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18}  # types of TIFF tags that Pillow converts to Python numbers


def check_tags(image: TiffImageFile) -> None:
    """Refuse a TIFF with tables of millions of numbers, before Pillow converts them.

    Raises:
        CompressError: `unsupported_format`.
    """
    tags = image.tag_v2
    sizes = {tag: len(data) for tag, data in tags._tagdata.items()}  # The public attributes convert the numbers.
    if any(size > MAX_TAG_BYTES and tags.tagtype[tag] in _NUMBERS for tag, size in sizes.items()):
        raise unusual("TIFF", "too many strips or tiles")


def check_memory(image: ImageFile.ImageFile, source: bytes, *, max_pixels: int) -> None:
    """Refuse a picture of more than `max_pixels`, or one that takes more memory to decode than those usually do.

    Raises:
        CompressError: `too_many_pixels`.
    """
    pixels, sides = image.width * image.height, f"{image.width} x {image.height} pixels"
    if pixels > max_pixels:
        detail = f"The picture has {sides}, the limit is {max_pixels:,} in all; give a smaller one."
        raise CompressError(detail, code="too_many_pixels")
    needed = _NEEDED[image.format](image) if image.format in _NEEDED else 0
    # The scans of a JPEG are counted last, because counting reads the whole file.
    if needed > max(max_pixels * BYTES_A_PIXEL, LEAST_BUDGET) and not _has_one_scan(image, source):
        detail = f"Decoding this {image.format} of {sides} takes too much memory; give a smaller one or another format."
        raise CompressError(detail, code="too_many_pixels")


def decoding_bytes(image: ImageFile.ImageFile, source: bytes, *, factor: float) -> int:
    """Bytes to hold while an admitted picture is decoded, to make its sides `factor` times as long.

    At most `IMAGE_BYTES`, unless the pixels alone need more.
    """
    usual = coded_pixels(image) * BYTES_A_PIXEL
    if image.format in _HELD:
        return max(usual, min(IMAGE_BYTES, int(_HELD[image.format](image))))
    if image.format != "JPEG" or factor <= HALF:
        return usual
    whole = min(IMAGE_BYTES, int(image.width * image.height * (_coefficient_bytes(image) + PICTURE_BYTES)))
    return usual if whole <= usual or _has_one_scan(image, source) else whole


def coded_pixels(image: ImageFile.ImageFile) -> int:
    """The number of pixels to decode: more than the picture has where a part of them is shown."""
    width, height = getattr(image, "coded_size", image.size)
    return cast("int", width * height)


def _has_one_scan(image: ImageFile.ImageFile, source: bytes) -> bool:
    return image.format == "JPEG" and source.count(b"\xff\xda") < 2


def _jpeg_bytes(image: ImageFile.ImageFile) -> float:
    return image.width * image.height * (_coefficient_bytes(image) + PROGRESSIVE_BYTES)


def _coefficient_bytes(image: ImageFile.ImageFile) -> float:
    """Bytes a pixel of the coefficients of all scans of a progressive JPEG; subsampled components have fewer."""
    samples = [across * down for _, across, down, _ in cast(JpegImageFile, image).layer]
    return COEFFICIENT_BYTES * sum(samples) / max(samples)


def _tiff_bytes(image: ImageFile.ImageFile) -> float:
    """Bytes of the picture and of one strip or tile, which libtiff decodes as a whole; a tile may be the larger."""
    if layout := getattr(image, "layout", None):
        return float(max(layout.needed_bytes, layout.decoded_bytes / DECODED_BYTES * BYTES_A_PIXEL))
    tag: Callable[..., Any] = cast(TiffImageFile, image).tag_v2.get
    across = tag(TiffTag.TILEWIDTH, image.width)
    down = tag(TiffTag.TILELENGTH) or min(tag(TiffTag.ROWSPERSTRIP, image.height), image.height)
    planes = 1 if tag(TiffTag.PLANAR_CONFIGURATION) == 2 else tag(TiffTag.SAMPLESPERPIXEL, 1)
    each = max(tag(TiffTag.BITSPERSAMPLE, (8,))) * planes / 8
    if tag(TiffTag.PHOTOMETRIC_INTERPRETATION) == YCBCR:
        each += 4  # libtiff converts it to RGB.
    if tag(TiffTag.COMPRESSION) in JPEG_INSIDE:
        each += COEFFICIENT_BYTES * planes
    needed: float = image.width * image.height * 4 + across * down * each
    return needed


def _drawing_bytes(image: ImageFile.ImageFile) -> float:
    embedded: int = cast(Any, image).embedded_pixels
    return image.width * image.height * BYTES_A_PIXEL + embedded * PIXEL_BYTES


_HELD: dict[str, Callable[[ImageFile.ImageFile], float]] = {"JPEG2000": decoder_bytes, "SVG": _drawing_bytes}
_NEEDED: dict[str, Callable[[ImageFile.ImageFile], float]] = {
    "JPEG": _jpeg_bytes,
    "TIFF": _tiff_bytes,
    "WEBP": lambda image: image.width * image.height * WEBP_BYTES,
    "AVIF": lambda image: coded_pixels(image) * AVIF_BYTES,
    "JPEG2000": decoder_bytes,
}
