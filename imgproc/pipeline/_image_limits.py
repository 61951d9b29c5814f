"""What a file may ask of its decoder, told before it is: how many parts it has, how much memory it takes.

Pillow reads the parts of a file in Python, and keeps them; some decoders hold a picture more than once before we see
any of it. A file of a few megabytes made for it would take gigabytes, or hold the GIL for a minute.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from PIL import ImageFile
from PIL import TiffImagePlugin as TiffTag
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from imgproc.errors import CompressError

MAX_PARTS = 2000  # segments of a JPEG: profiles have up to 255, extended XMP a few hundred, progressive ones ten scans
MAX_SCANS = 100  # Encoders write about ten; each costs a pass over all blocks, however few bytes it takes in the file.
MAX_EXIFS = 16  # of these; Pillow joins them one by one
MAX_CHUNKS = 50_000  # of a PNG. libpng writes 8 KiB of pixels a chunk, which are 6,400 in 50 MiB.
MAX_BLOCKS = 20_000  # of a GIF before its first picture, 255 bytes each at most
MAX_JUNK = 64 * 1024  # bytes between the segments of a JPEG
MAX_TAG_BYTES = 1024 * 1024  # of a TIFF's tag that is a table of numbers: strips of one row in the tallest picture

BYTES_A_PIXEL = 7  # of memory, while a picture is decoded; it holds one of 4 bytes, and a smaller one
WEBP_BYTES = 12  # libwebp keeps two canvases, Pillow copies one
AVIF_BYTES = 17  # four planes of 12 bits, pixels made of them, and a copy; the header may say fewer, and lie
COEFFICIENT_BYTES = 2  # libjpeg keeps those of all samples until the last scan
LEAST_BUDGET = 64 * 1024 * 1024  # bytes, however few pixels are allowed
YCBCR, JPEG_INSIDE = 6, (6, 7)  # TIFF 6.0, and its technical note 2

# JPEG markers (ITU-T T.81, table B.1) but for stuffed zeros, restarts and padding.
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])", re.DOTALL)
_SEQUENTIAL, _SOS, _BARE = {0xC0, 0xC1, 0xC9}, 0xDA, {0x01, 0xD8, 0xD9}
_NUMBERS = {3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18}  # types of TIFF tags that Pillow makes Python numbers of


def check_parts(source: bytes, source_format: str) -> None:
    """Refuse a file of more parts than any encoder writes, before Pillow opens it.

    Raises:
        CompressError: `unsupported_format`.
    """
    if source_format in _COUNT_PARTS:
        _COUNT_PARTS[source_format](source)


def check_tags(image: TiffImageFile) -> None:
    """Refuse a TIFF whose tags are tables of millions, before Pillow makes numbers of them.

    Raises:
        CompressError: `unsupported_format`.
    """
    tags = image.tag_v2
    sizes = {tag: len(data) for tag, data in tags._tagdata.items()}  # what the public way gives are numbers already
    if any(size > MAX_TAG_BYTES and tags.tagtype[tag] in _NUMBERS for tag, size in sizes.items()):
        raise _odd("TIFF", "too many strips or tiles")


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


def _check_segments(source: bytes) -> None:
    """Of a JPEG until its first scan; and how many scans follow, where one does not hold the whole picture."""
    position, parts, junk, exifs, components = 2, 0, 0, 0, b""
    while marker := _MARKER.search(source, position):
        start, kind = marker.end(), source[marker.start(1)]
        parts += 1
        exifs += source.startswith(b"Exif", start + 2)
        junk += start - 2 - position
        if parts > MAX_PARTS or exifs > MAX_EXIFS or junk > MAX_JUNK:
            raise _odd("JPEG", "too many segments")
        if kind in _SEQUENTIAL:
            components = source[start + 7 : start + 8]
        if kind == _SOS:
            if components != source[start + 2 : start + 3] and source.count(b"\xff\xda", start) >= MAX_SCANS:
                raise _odd("JPEG", "too many scans")
            return
        position = start + (0 if kind in _BARE else int.from_bytes(source[start : start + 2], "big"))


def _check_chunks(source: bytes) -> None:
    position, chunks = 8, 0
    while position < len(source):
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise _odd("PNG", "too many chunks")
        position += 12 + int.from_bytes(source[position : position + 4], "big")


def _check_blocks(source: bytes) -> None:
    """Extensions before the first picture (GIF89a, 24 to 26), each a chain of blocks that ends with an empty one."""
    flags = source[10] if len(source) > 10 else 0
    position, inside = 13 + (3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0), False
    for _ in range(MAX_BLOCKS):
        if position >= len(source) or (not inside and source[position] in b",;"):
            return
        if inside:
            inside = source[position] > 0
            position += 1 + source[position]
        else:  # Pillow passes over what is neither an extension nor a picture.
            inside = source[position] == ord("!")
            position += 1 + inside
    raise _odd("GIF", "too many blocks")


def _odd(name: str, what: str) -> CompressError:
    return CompressError(f"The {name} has {what}; export it again in the usual way.", code="unsupported_format")


_COUNT_PARTS: dict[str, Callable[[bytes], None]] = {
    "jpeg": _check_segments,
    "png": _check_chunks,
    "gif": _check_blocks,
}


def _is_of_one_scan(image: ImageFile.ImageFile, source: bytes) -> bool:
    return image.format == "JPEG" and source.count(b"\xff\xda") < 2


def _jpeg_bytes(image: ImageFile.ImageFile) -> float:
    """Coefficients of all scans, where there are many; subsampled components have fewer."""
    samples = [across * down for _, across, down, _ in cast(JpegImageFile, image).layer]
    share = sum(samples) / max(samples)
    return image.width * image.height * (COEFFICIENT_BYTES * share + 1)


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
