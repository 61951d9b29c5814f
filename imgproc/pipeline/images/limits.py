"""How much memory a file asks of its decoder, told from its header.

Some decoders hold a picture more than once before we see any of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from PIL import ImageFile
from PIL import TiffImagePlugin as TiffTag
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.parts import odd

MAX_TAG_BYTES = 1024 * 1024  # of a TIFF's tag that is a table of numbers: strips of one row in the tallest picture

BYTES_A_PIXEL = 7  # of memory, while a picture is decoded; it holds one of 4 bytes, and a smaller one
WEBP_BYTES = 12  # libwebp keeps two canvases, Pillow copies one
AVIF_BYTES = 17  # four planes of 12 bits, pixels made of them, and a copy; the header may say fewer, and lie
COEFFICIENT_BYTES = 2  # libjpeg keeps those of all samples until the last scan
PROGRESSIVE_BYTES = 1.06  # a pixel, beside the coefficients; 1.0 let a picture of 50 million pixels take 502 MB
LEAST_BUDGET = 64 * 1024 * 1024  # bytes, however few pixels are allowed
YCBCR, JPEG_INSIDE = 6, (6, 7)  # TIFF 6.0, and its technical note 2

_NUMBERS = {3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18}  # types of TIFF tags that Pillow makes Python numbers of


def check_tags(image: TiffImageFile) -> None:
    """Refuse a TIFF whose tags are tables of millions, before Pillow makes numbers of them.

    Raises:
        CompressError: `unsupported_format`.
    """
    tags = image.tag_v2
    sizes = {tag: len(data) for tag, data in tags._tagdata.items()}  # what the public way gives are numbers already
    if any(size > MAX_TAG_BYTES and tags.tagtype[tag] in _NUMBERS for tag, size in sizes.items()):
        raise odd("TIFF", "too many strips or tiles")


def check_memory(image: ImageFile.ImageFile, source: bytes, *, max_pixels: int) -> None:
    """Refuse a picture of more than `max_pixels`, or of fewer where its decoder holds more than a plain copy.

    Raises:
        CompressError: `too_many_pixels`.
    """
    pixels, sides = image.width * image.height, f"{image.width} x {image.height} pixels"
    if pixels > max_pixels:
        detail = f"The picture has {sides}, the limit is {max_pixels:,} in all; give a smaller one."
        raise CompressError(detail, code="too_many_pixels")
    needed = _NEEDED[image.format](image) if image.format in _NEEDED else 0
    # The scans of a JPEG are counted last, as that takes reading the whole file.
    if needed > max(max_pixels * BYTES_A_PIXEL, LEAST_BUDGET) and not _is_of_one_scan(image, source):
        detail = f"Decoding this {image.format} of {sides} takes too much memory; give a smaller one or another format."
        raise CompressError(detail, code="too_many_pixels")


def check_compression(image: ImageFile.ImageFile) -> None:
    """Refuse a BMP of run lengths (BI_RLE8, BI_RLE4): Pillow decodes it in Python and holds the GIL for seconds.

    Raises:
        CompressError: `unsupported_format`.
    """
    if image.format == "BMP" and image.info["compression"] in {1, 2}:
        raise CompressError("Run-length encoded BMP is not supported; export it as PNG.", code="unsupported_format")


def _is_of_one_scan(image: ImageFile.ImageFile, source: bytes) -> bool:
    return image.format == "JPEG" and source.count(b"\xff\xda") < 2


def _jpeg_bytes(image: ImageFile.ImageFile) -> float:
    """Coefficients of all scans, where there are many; subsampled components have fewer."""
    samples = [across * down for _, across, down, _ in cast(JpegImageFile, image).layer]
    share = sum(samples) / max(samples)
    return image.width * image.height * (COEFFICIENT_BYTES * share + PROGRESSIVE_BYTES)


def _tiff_bytes(image: ImageFile.ImageFile) -> float:
    """libtiff decodes a strip or tile whole, which may be larger than the picture, beside the picture of 4 bytes."""
    tag: Callable[..., Any] = cast(TiffImageFile, image).tag_v2.get
    across = tag(TiffTag.TILEWIDTH, image.width)
    down = tag(TiffTag.TILELENGTH) or min(tag(TiffTag.ROWSPERSTRIP, image.height), image.height)
    planes = 1 if tag(TiffTag.PLANAR_CONFIGURATION) == 2 else tag(TiffTag.SAMPLESPERPIXEL, 1)
    each = max(tag(TiffTag.BITSPERSAMPLE, (8,))) * planes / 8
    if tag(TiffTag.PHOTOMETRIC_INTERPRETATION) == YCBCR:
        each += 4  # made RGB by libtiff
    if tag(TiffTag.COMPRESSION) in JPEG_INSIDE:
        each += COEFFICIENT_BYTES * planes
    needed: float = image.width * image.height * 4 + across * down * each
    return needed


_NEEDED: dict[str, Callable[[ImageFile.ImageFile], float]] = {
    "JPEG": _jpeg_bytes,
    "TIFF": _tiff_bytes,
    "WEBP": lambda image: image.width * image.height * WEBP_BYTES,
    "AVIF": lambda image: image.width * image.height * AVIF_BYTES,
}
