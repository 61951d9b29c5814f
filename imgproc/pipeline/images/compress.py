"""Source bytes and options in, a `Rendition` out: decode small, resize, make it plain sRGB, encode.

The order is what makes it fast. A JPEG is decoded at a reduced scale inside libjpeg, so everything after that touches a
quarter of the pixels, and the slow C calls all release the GIL, so that threads of one process share the cores.
"""

from __future__ import annotations

import io
import math
import re
import threading
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from PIL import ExifTags, Image, ImageFile

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.colours import flatten, is_srgb, to_plain, to_srgb, white_of
from imgproc.pipeline.images.cost import IMAGE_BYTES, CpuTime, MemoryBudget, encoder_bytes
from imgproc.pipeline.images.encode import check_sides, encode
from imgproc.pipeline.images.faults import FAULTS, explain
from imgproc.pipeline.images.formats import KEEP, OUTPUT_FORMATS, SMART, content_type_of, extension_of, identify
from imgproc.pipeline.images.jpeg_eighths import decode_eighths
from imgproc.pipeline.images.keep import keep
from imgproc.pipeline.images.limits import BYTES_A_PIXEL, check_memory
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.images.parts import check_parts
from imgproc.pipeline.images.readers import open_image
from imgproc.pipeline.images.resize import Box, reduce
from imgproc.pipeline.images.smart import encode_smart

__all__ = ["SMART", "CompressOptions", "ImageFacts", "MemoryBudget"]
__all__ += ["Rendition", "compress", "content_type_of", "extension_of"]

MAX_EXIF_BYTES = 1024 * 1024  # It is 64 KiB at most in a JPEG, and holds a small picture at worst.
FINEST_OF_EIGHTHS = 80  # Up to this quality the encoder loses so much that what eighths lose cannot be seen (ADR 15).


@dataclass(frozen=True)
class ImageFacts:
    """One encoded image: its size in bytes, its size in pixels as displayed (orientation applied), its format."""

    bytes: int
    width: int
    height: int
    format: str


@dataclass(frozen=True)
class Rendition:
    """The encoded image, how to serve it, and the facts of what went in and came out.

    `kept` tells that the pixels are the source's own, at its size, as nothing smaller was found.
    """

    body: bytes
    content_type: str
    extension: str
    source: ImageFacts
    output: ImageFacts
    kept: bool = False


_TURN = Image.Transpose
TURNS = {
    **{2: _TURN.FLIP_LEFT_RIGHT, 3: _TURN.ROTATE_180, 4: _TURN.FLIP_TOP_BOTTOM},
    **{5: _TURN.TRANSPOSE, 6: _TURN.ROTATE_270, 7: _TURN.TRANSVERSE, 8: _TURN.ROTATE_90},
}


def compress(
    source: bytes, *, options: CompressOptions, max_pixels: int, memory: MemoryBudget | None = None
) -> Rendition:
    """Make one rendition of `source`: its first frame, upright, scaled, in sRGB, without metadata.

    A side becomes `scale` times the source's, rounded to the nearest pixel, a half down (half of 2001 is 1000), never
    below 1. Transparency is kept where the format has it (WebP, AVIF, PNG) and becomes white where not (JPEG). The work
    waits until `memory`, which threads share, has what it takes.

    Raises:
        CompressError: `not_an_image`, `unsupported_format`, `too_many_pixels`, `corrupt_image`, `truncated_image`,
            or `encode_failed`.
    """
    _silence_pillow()
    time, source_format = CpuTime(), identify(source)
    target = _target(options, source_format)
    try:
        image = _open(source, source_format, max_pixels=max_pixels)
        size = (_scaled(image.width, options.scale), _scaled(image.height, options.scale))
        check_sides(size, target=target, scale=options.scale)
        with memory.hold(_needed(image, size, target, options)) if memory else nullcontext():
            small = _make_small(image, source, target, options)
            del image  # the picture in full
            small = _upright(small)
            return _encode(small, source, target, options, time)
    except FAULTS as error:
        raise explain(error, source, source_format) from error


def _target(options: CompressOptions, source_format: str) -> str:
    if options.format != KEEP:
        return options.format
    return source_format if source_format in OUTPUT_FORMATS else "png"


def _open(source: bytes, source_format: str, *, max_pixels: int) -> ImageFile.ImageFile:
    """The headers alone, once the file has been found to ask for no more than it may."""
    check_parts(source, source_format)
    image = open_image(io.BytesIO(source), source_format)
    check_memory(image, source, max_pixels=max_pixels)
    _check_compression(image)
    return image


def _needed(image: ImageFile.ImageFile, size: tuple[int, int], target: str, options: CompressOptions) -> int:
    """Bytes of memory that the decoder or the encoder takes at most, beside the source."""
    quality = 95 if options.quality == SMART else options.quality
    alpha = image.has_transparency_data and target != "jpeg"
    encoding = encoder_bytes(size[0] * size[1], target=target, quality=quality, alpha=alpha)
    return max(image.width * image.height * BYTES_A_PIXEL, min(encoding, IMAGE_BYTES))


@dataclass(frozen=True)
class _Small:
    """The picture to encode, which way up it is, and what the source is: also whether its pixels are seen as they are.

    `is_plain` is False where nobody asks.
    """

    picture: Image.Image
    orientation: int
    source: ImageFacts
    is_plain: bool


def _make_small(image: ImageFile.ImageFile, source: bytes, target: str, options: CompressOptions) -> _Small:
    facts = ImageFacts(len(source), image.width, image.height, cast("str", image.format).lower())
    image.decodermaxblock = len(source)  # One long call that releases the GIL, not one for every 64 KiB.
    is_coarse = target != "png" and options.quality != SMART and options.quality <= FINEST_OF_EIGHTHS
    picture = _reduce(image, source if is_coarse else None, scale=options.scale, flat=target == "jpeg")
    orientation = _orientation(image.info.get("exif"))
    may_keep = options.quality == SMART and target == facts.format
    # Asked last and only here: for some formats Pillow counts the frames by reading all of the file.
    is_plain = may_keep and orientation == 1 and getattr(image, "n_frames", 1) == 1 and is_srgb(image)
    return _Small(picture, orientation, facts, is_plain)


def _upright(small: _Small) -> _Small:
    facts = small.source
    if small.orientation not in TURNS:
        return small
    if small.orientation >= 5:
        facts = replace(facts, width=facts.height, height=facts.width)
    return replace(small, picture=small.picture.transpose(TURNS[small.orientation]), orientation=1, source=facts)


def _encode(small: _Small, source: bytes, target: str, options: CompressOptions, time: CpuTime) -> Rendition:
    (width, height), facts, kept = small.picture.size, small.source, None
    if options.quality == SMART:
        body = encode_smart(small.picture, target=target, scale=options.scale, time=time)
        if small.is_plain:
            pixels = facts.width * facts.height
            kept = keep(source, source_format=facts.format, pixels=pixels, below=len(body), time=time)
    else:
        body = encode(small.picture, target=target, quality=options.quality, scale=options.scale)
    if kept is not None:
        body, width, height = kept, facts.width, facts.height
    return Rendition(
        body=body,
        content_type=content_type_of(target),
        extension=extension_of(target),
        source=facts,
        output=ImageFacts(len(body), width, height, target),
        kept=body is kept,
    )


def _check_compression(image: ImageFile.ImageFile) -> None:
    if image.format == "BMP" and image.info["compression"] in {1, 2}:
        # BI_RLE8 and BI_RLE4. Pillow decodes these in Python: seconds for a few megabytes, and the GIL is held.
        raise CompressError("Run-length encoded BMP is not supported; export it as PNG.", code="unsupported_format")


def _reduce(image: ImageFile.ImageFile, eighths_of: bytes | None, *, scale: float, flat: bool) -> Image.Image:
    """Decode and scale: the result is L, RGB or RGBA (unless `flat`), in sRGB, in the file's orientation.

    Averaging whole blocks of pixels (inside libjpeg, or by `reduce`) is as good as LANCZOS for one halving; below a
    quarter it stops at twice the size, and LANCZOS does the rest. `eighths_of` is the source where it may be decoded
    at any eighths of its size.
    """
    size = (_scaled(image.width, scale), _scaled(image.height, scale))
    gap = 1 if scale > 0.25 else 2
    decoded, box = _decode(image, eighths_of, (size[0] * gap, size[1] * gap))
    white, profile = white_of(decoded), image.info.get("icc_profile")

    def finish(strip: Image.Image) -> Image.Image:
        strip = to_srgb(strip, profile=profile)
        return flatten(strip) if flat else strip

    box = (0, 0, *size) if decoded.size == size else box
    return reduce(decoded, size=size, box=box, gap=gap, plain=partial(to_plain, white=white), finish=finish)


def _decode(image: ImageFile.ImageFile, eighths_of: bytes | None, least: tuple[int, int]) -> tuple[Image.Image, Box]:
    """As small as the decoder can and not below `least`, and the part of it that the picture fills."""
    if eighths_of and (decoded := decode_eighths(image, eighths_of, least)):
        return decoded
    drafted = image.draft(None, least)
    image.load()
    return image, drafted[1] if drafted else (0, 0, *image.size)


def _scaled(length: int, scale: float) -> int:
    return max(1, math.ceil(length * scale - 0.5))


def _orientation(exif: bytes | None) -> int:
    """Which way up, 1 to 8 (Exif 2.32, tag 0x0112); 1, upright, where the file does not say or cannot be read."""
    tags = Image.Exif()
    try:
        tags.load(exif if exif and len(exif) <= MAX_EXIF_BYTES else b"")
        orientation = tags.get(ExifTags.Base.Orientation)
    except FAULTS:
        return 1
    return orientation if orientation in TURNS else 1


_SILENCE = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_silencing = threading.Lock()


def _silence_pillow() -> None:
    """Pillow warns of odd metadata, which we drop anyway.

    `warnings.catch_warnings` is not thread-safe, so there is one filter for the process, put back in front if others
    were put before it.
    """
    with _silencing:
        if warnings.filters[:1] != [_SILENCE]:
            warnings.filterwarnings("ignore", module=r"PIL\.")
