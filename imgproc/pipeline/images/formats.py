"""The image formats and the bounds of every option, as data: importing this loads no decoder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.svgz import GZIP, UTF_16, head_of
from imgproc.pipeline.images.other_kinds import EXPORT, OTHER_FILES, RARE_PICTURES, RAW_FILES, REMEDIES

MAX_SIGNATURE = 65_536  # bytes at the beginning of a file that tell its format
# What a caller may ask for.
OUTPUT_FORMATS = ("jpeg", "webp", "avif", "png")
KEEP = "keep"  # the format of the source
KEPT_AS = {"heic": "jpeg", "jp2": "jpeg"}  # what photographs become that we do not write; all others become PNG
FORMAT_OPTIONS = (*OUTPUT_FORMATS, KEEP)
SMART: Literal["smart"] = "smart"  # a smaller file that looks about as good as quality 50
SOURCE = "source"
LARGER_OPTIONS = (KEEP, SOURCE)  # a rendition that is larger than its source, or the picture of the source
MIN_QUALITY, MAX_QUALITY = 1, 95
MIN_SCALE, MAX_SCALE = 0.0, 1.0  # of width and height; a scale is above the minimum
MAX_SIZE = 65_535  # pixels a side that a caller may ask for
DEFAULT_QUALITY, DEFAULT_SCALE, DEFAULT_FORMAT = 50, 0.5, "jpeg"


@dataclass(frozen=True)
class ImageFormat:
    """A format we read: its name in sentences, how it is stored and served, and the bytes that identify it."""

    name: str
    extension: str
    content_type: str
    signature: re.Pattern[bytes]


def _pattern(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression, re.DOTALL)


def _text(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:\xef\xbb\xbf)?\s*" + expression, re.DOTALL | re.IGNORECASE)


# Comments, instructions and a document type, which Illustrator fills with entities. No part can match in two ways.
_PROLOGUE = (
    rb"(?:(?:<\?[^?]*(?:\?(?!>)[^?]*)*\?>|<!--[^-]*(?:-(?!->)[^-]*)*-->|<!doctype[^>\[]*(?:\[[^\]]*\]\s*)?>)\s*)*"
)
# TGA has no signature. The fields of its header: the length of a text, a palette of 16 to 32 bits or none, the kind of
# pixels, an origin, width and height above 0, bits a pixel, and where the picture begins.
_TGA = (
    rb".(?:\0[\2\3\x0a\x0b].{5}|\x01[\1\2\x09\x0a].{4}[\x0f\x10\x18\x20])"
    rb".{4}(?!\0\0)..(?!\0\0)..[\x08\x0f\x10\x18\x20][\0-\x3f]"
)

INPUT_FORMATS = {
    "jpeg": ImageFormat("JPEG", "jpg", "image/jpeg", _pattern(rb"\xff\xd8\xff")),
    "png": ImageFormat("PNG", "png", "image/png", _pattern(rb"\x89PNG\r\n\x1a\n")),
    "webp": ImageFormat("WebP", "webp", "image/webp", _pattern(rb"RIFF.{4}WEBP")),
    "avif": ImageFormat("AVIF", "avif", "image/avif", _pattern(rb".{4}ftyp(.{4}){0,12}?avi[fs]")),
    "gif": ImageFormat("GIF", "gif", "image/gif", _pattern(rb"GIF8[79]a")),
    "bmp": ImageFormat("BMP", "bmp", "image/bmp", _pattern(rb"BM.{12}[\x0c\x10-\x40\x6c\x7c]\0{3}")),
    "tiff": ImageFormat("TIFF", "tiff", "image/tiff", _pattern(rb"II[*+]\0|MM\0[*+]")),
    "heic": ImageFormat(
        "HEIC", "heic", "image/heic", _pattern(rb".{4}ftyp(.{4}){0,12}?(hei[cfmsx]|hev[cmsx]|mif[12]|msf1)")
    ),
    "jp2": ImageFormat("JPEG 2000", "jp2", "image/jp2", _pattern(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51")),
    "psd": ImageFormat("Photoshop", "psd", "image/vnd.adobe.photoshop", _pattern(rb"8BPS\0[\1\2]")),
    "ico": ImageFormat("icon", "ico", "image/vnd.microsoft.icon", _pattern(rb"\0\0[\1\2]\0(?!\0\0)")),
    "pnm": ImageFormat("PNM", "pnm", "image/x-portable-anymap", _pattern(rb"P[1-6](?:\s|#[^\n]*\n)+\d|P7\n[#WHDMT]")),
    # Browsers run the scripts of a drawing that is served as one.
    "svg": ImageFormat("SVG", "svg", "application/octet-stream", _text(_PROLOGUE + rb"<(?:[\w.-]+:)?svg[\s/>]")),
    "tga": ImageFormat("TGA", "tga", "image/x-tga", _pattern(_TGA)),
}


class Extra(NamedTuple):
    """An optional dependency: its module, the extra of imgproc that brings it, and what to do without it."""

    module: str
    extra: str
    remedy: str


# The formats that are decoded in a process of their own, and the extra that each needs, if any.
APART: dict[str, Extra | None] = {
    "heic": Extra(
        "pillow_heif",
        "heic",
        "export it as JPEG (on an iPhone: Settings > Camera > Formats > Most Compatible)",
    ),
    "jp2": None,
    "svg": None,
}


def _boxes_end(source: bytes) -> int:
    """Where the last top-level box of an ISO base media file ends, as the file says (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while position < len(source):
        size = int.from_bytes(source[position : position + 4], "big")
        position = position + size if size >= 8 else len(source)
    return position


# Whether a file reaches its end. Called only for files that did not decode.
IS_WHOLE: dict[str, Callable[[bytes], bool]] = {
    "jpeg": lambda source: b"\xff\xd9" in source[-1024:],
    "png": lambda source: b"IEND" in source[-1024:],
    "webp": lambda source: len(source) >= 8 + int.from_bytes(source[4:8], "little"),
    "avif": lambda source: len(source) >= _boxes_end(source),
    "gif": lambda source: source.rstrip(b"\0").endswith(b";"),
    "bmp": lambda source: len(source) >= int.from_bytes(source[2:6], "little"),
    "tiff": lambda source: len(source) > int.from_bytes(source[4:8], "little" if source[:1] == b"I" else "big"),
    "heic": lambda source: len(source) >= _boxes_end(source),
    "jp2": lambda source: b"\xff\xd9" in source[-1024:],
    "svg": lambda source: source.startswith(GZIP) or b"</" in source[-1024:] or source.rstrip().endswith(b"/>"),
    **dict.fromkeys(
        ("psd", "ico", "pnm", "tga"), lambda _: True
    ),  # Their readers say themselves that bytes are missing.
}

UNSUPPORTED = {
    "a JPEG XL image": _pattern(rb"\xff\x0a|\0\0\0\x0cJXL "),
    "a floating-point PFM image": _pattern(rb"P[Ff]\s"),
}
# The first match names the file, so the most specific pattern comes first.
NOT_IMAGES = {
    "a login form": _text(rb"<.*?<input[^<>]*type\s*=\s*[\"']?password"),
    "an HTML page that sends browsers to another address": _text(rb"<.*?<meta[^<>]*http-equiv\s*=\s*[\"']?refresh\b"),
    "an HTML page": _text(rb"<(!doctype|!--|html|head|body|title|meta|script|p\b)"),
    "an XML document": _text(rb"<"),
    "JSON": _text(rb"[{\[]"),
    "a PDF document": _pattern(rb"\s*%PDF-"),
    "a PostScript document": _pattern(rb"\x04?%!PS|\xc5\xd0\xd3\xc6"),
    "a ZIP archive": _pattern(rb"PK[\x03\x05]"),
    "a gzip archive": _pattern(rb"\x1f\x8b"),
    "a video": _pattern(rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}AVI "),
    "plain text": _pattern(rb"(?:[\s\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]{1,3})+[\xc2-\xf4]?\Z"),
    "data of no known kind": _pattern(rb""),
}


def extension_of(image_format: str) -> str:
    """The file extension of a format, without a dot."""
    return INPUT_FORMATS[image_format].extension


def content_type_of(image_format: str) -> str:
    """The media type of a format."""
    return INPUT_FORMATS[image_format].content_type


def identify(source: bytes) -> str:
    """The format of a file by its first bytes; its name and the host's content type do not matter.

    Raises:
        CompressError: `not_an_image` or `unsupported_format`; the detail names the kind of file.
    """
    if not source:
        raise CompressError("The file is empty; check that the URL still serves the picture.", code="not_an_image")
    for name, image_format in INPUT_FORMATS.items():
        if image_format.signature.match(source, 0, MAX_SIGNATURE):
            return name
    head = head_of(source, MAX_SIGNATURE)
    if INPUT_FORMATS["svg"].signature.match(head):
        return "svg"
    for kind, pattern in {**RAW_FILES, **UNSUPPORTED, **RARE_PICTURES}.items():
        if pattern.match(source):
            detail = f"This is {kind}; {REMEDIES.get(kind, EXPORT)}."
            raise CompressError(detail, code="unsupported_format")
    text = head if source.startswith(UTF_16) else source
    others = chain(OTHER_FILES.items(), NOT_IMAGES.items())  # Both may have patterns of one kind.
    kind = next(kind for kind, pattern in others if pattern.match(text, 0, MAX_SIGNATURE))
    remedy = REMEDIES.get(kind, "link to the picture file itself")
    raise CompressError(f"This is {kind}, not an image; {remedy}.", code="not_an_image")
