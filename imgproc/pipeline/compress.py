"""Source bytes and options in, a `Rendition` out: decode small, resize, make it plain sRGB, encode.

The order is what makes it fast. A JPEG is decoded at a reduced scale inside libjpeg, so everything after that touches a
quarter of the pixels, and the slow C calls all release the GIL, so that threads of one process share the cores.
"""

from __future__ import annotations

import io
import math
import re
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass
from functools import partial
from typing import Literal

from PIL import ExifTags, Image, ImageFile

from imgproc.errors import CompressError, InvalidOption
from imgproc.pipeline._image_colours import flatten, is_srgb, to_plain, to_srgb, white_of
from imgproc.pipeline._image_encode import ENCODERS, encode
from imgproc.pipeline._image_formats import FORMATS, IS_WHOLE, content_type_of, extension_of, identify
from imgproc.pipeline._image_keep import keep
from imgproc.pipeline._image_limits import check_memory, check_parts
from imgproc.pipeline._image_reduce import Box, reduce
from imgproc.pipeline._image_smart import encode_smart
from imgproc.pipeline._jpeg_eighths import decode_eighths

__all__ = ["SMART", "CompressOptions", "ImageFacts", "Rendition", "compress", "content_type_of", "extension_of"]

SMART: Literal["smart"] = "smart"
MAX_EXIF_BYTES = 1024 * 1024  # It is 64 KiB at most in a JPEG, and holds a small picture at worst.
FINEST_OF_EIGHTHS = 80  # Up to this quality the encoder loses so much that what eighths lose cannot be seen (ADR 15).


@dataclass(frozen=True)
class CompressOptions:
    """What the caller asked for: `quality` 1-95 (PNG, being lossless, ignores it), `scale` of width and height, >0-1.

    Quality `smart` searches, for each picture, the smallest file that looks no worse than one of quality 50.
    `keep` keeps the source's format; GIF, BMP and TIFF become PNG, which is as lossless and shown by every browser.

    Raises:
        InvalidOption: on construction, for a value outside these.
    """

    quality: int | Literal["smart"] = 50
    scale: float = 0.5
    format: str = "jpeg"

    def __post_init__(self) -> None:
        if self.quality != SMART and not 1 <= self.quality <= 95:
            raise InvalidOption("Give a quality from 1 to 95, or smart.", option="quality")
        if not 0 < self.scale <= 1:
            raise InvalidOption("Give a scale above 0 and up to 1.", option="scale")
        if self.format not in (*ENCODERS, "keep"):
            raise InvalidOption(f"Give one of the formats {', '.join(ENCODERS)} or keep.", option="format")


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


# What Pillow's decoders raise on hostile files, found by fuzzing and in their source. It does not name Exception, the
# base of RQ's time-out, which must pass.
DECODER_FAULTS = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError),
    *(SyntaxError, TypeError, ValueError, struct.error, zlib.error, Image.DecompressionBombError),
)

_TURN = Image.Transpose
TURNS = {
    **{2: _TURN.FLIP_LEFT_RIGHT, 3: _TURN.ROTATE_180, 4: _TURN.FLIP_TOP_BOTTOM},
    **{5: _TURN.TRANSPOSE, 6: _TURN.ROTATE_270, 7: _TURN.TRANSVERSE, 8: _TURN.ROTATE_90},
}


def compress(source: bytes, *, options: CompressOptions, max_pixels: int) -> Rendition:
    """Make one rendition of `source`: its first frame, upright, scaled, in sRGB, without metadata.

    A side becomes `scale` times the source's, rounded to the nearest pixel, a half down (half of 2001 is 1000), never
    below 1. Transparency is kept where the format has it (WebP, AVIF, PNG) and becomes white where not (JPEG).

    Raises:
        CompressError: `not_an_image`, `unsupported_format`, `too_many_pixels`, `corrupt_image`, `truncated_image`,
            or `encode_failed`.
    """
    _silence_pillow()
    source_format = identify(source)
    target = options.format if options.format != "keep" else source_format if source_format in ENCODERS else "png"
    try:
        small = _make_small(source, source_format, target, options, max_pixels=max_pixels)
    except DECODER_FAULTS as error:
        raise _explain(error, source, source_format) from error
    (width, height), kept = small.picture.size, None
    if options.quality == SMART:
        body = encode_smart(small.picture, target=target)
        pixels = small.source.width * small.source.height
        kept = keep(source, source_format=source_format, pixels=pixels, below=len(body)) if small.is_plain else None
    else:
        body = encode(small.picture, target=target, quality=options.quality)
    if kept is not None:
        body, width, height = kept, small.source.width, small.source.height
    return Rendition(
        body=body,
        content_type=content_type_of(target),
        extension=extension_of(target),
        source=small.source,
        output=ImageFacts(len(body), width, height, target),
        kept=body is kept,
    )


@dataclass(frozen=True)
class _Small:
    """The picture to encode, and what the source is: and, if asked, whether its pixels are seen as they are."""

    picture: Image.Image
    source: ImageFacts
    is_plain: bool


def _make_small(source: bytes, source_format: str, target: str, options: CompressOptions, *, max_pixels: int) -> _Small:
    """The picture in full is gone when this returns."""
    check_parts(source, source_format)
    image = FORMATS[source_format].open(io.BytesIO(source))
    width, height = image.size
    check_memory(image, source, max_pixels=max_pixels)
    _check_compression(image)
    image.decodermaxblock = len(source)  # One long call that releases the GIL, not one for every 64 KiB.
    is_coarse = target != "png" and options.quality != SMART and options.quality <= FINEST_OF_EIGHTHS
    picture = _reduce(image, source if is_coarse else None, scale=options.scale, flat=target == "jpeg")
    orientation = _orientation(image.info.get("exif"))
    may_keep = options.quality == SMART and target == source_format
    # Asked last and only here: for some formats Pillow counts the frames by reading all of the file.
    is_plain = may_keep and orientation == 1 and getattr(image, "n_frames", 1) == 1 and is_srgb(image)
    del image
    if orientation in TURNS:
        picture = picture.transpose(TURNS[orientation])
    if orientation >= 5:
        width, height = height, width
    return _Small(picture, ImageFacts(len(source), width, height, source_format), is_plain)


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
    except DECODER_FAULTS:
        return 1
    return orientation if orientation in TURNS else 1


def _explain(error: BaseException, source: bytes, source_format: str) -> CompressError:
    words = str(error).lower()
    name = source_format.upper()
    if isinstance(error, MemoryError | Image.DecompressionBombError):
        return CompressError("The picture needs more memory than allowed; give a smaller one.", code="too_many_pixels")
    if "truncat" in words or not IS_WHOLE[source_format](source):
        detail = f"The {name} file ends too early, part of the picture is missing; put the whole file in its place."
        return CompressError(detail, code="truncated_image")
    if re.search("unsupported|not (yet )?supported|cannot handle|unknown pixel mode", words):
        detail = f"This variety of {name} is not supported; export it as an ordinary JPEG or PNG."
        return CompressError(detail, code="unsupported_format")
    return CompressError(f"The {name} file is damaged and cannot be decoded; export it again.", code="corrupt_image")


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
