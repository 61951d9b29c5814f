"""The formats we read: how each is named, recognised and opened; and what else may come in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from PIL import AvifImagePlugin, ExifTags, Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.limits import check_tags


@dataclass(frozen=True)
class ImageFormat:
    """A format we read: how it is named when stored and served, recognised, and opened (headers only)."""

    extension: str
    content_type: str
    signature: re.Pattern[bytes]
    open: Callable[[IO[bytes]], ImageFile.ImageFile]


def _pattern(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression, re.DOTALL)


def _text(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:\xef\xbb\xbf)?\s*" + expression, re.DOTALL | re.IGNORECASE)


# Pillow knows no other way to say it. Each thread would need memory, and the cores are busy with other images.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class _Avif(AvifImageFile):
    """Frees the decoder, and what it holds of the picture, before the picture gets its own memory."""

    def load_prepare(self) -> None:
        del self._decoder
        super().load_prepare()


class _WebP(WebPImageFile):
    """The same: libwebp holds the picture twice."""

    def load_prepare(self) -> None:
        del self._decoder
        super().load_prepare()


class _Jpeg(JpegImageFile):
    """Leaves the resolution that Exif gives alone: it is of no use here, and may be a table of millions."""

    def _read_dpi_from_exif(self) -> None:
        """Does none of what it is for."""


class _Tiff(TiffImageFile):
    """Stays as it is in the file and says how to turn it, as the other formats do; Pillow would turn it in full."""

    def _setup(self) -> None:
        check_tags(self)
        super()._setup()
        self._size = self._tile_size
        orientation = self.tag_v2.get(ExifTags.Base.Orientation, 1)
        if orientation in range(2, 9):  # Anything may stand there, also what cannot be written.
            tags = Image.Exif()
            tags[ExifTags.Base.Orientation] = int(orientation)
            self.info["exif"] = tags.tobytes()

    def load_end(self) -> None:
        """Does none of what it is for: to turn the picture, and to read tags that are of no use here."""


# Pillow's plugins by name, as Image.open would also try MPO, and hides what a decoder says behind one error.
FORMATS = {
    "jpeg": ImageFormat("jpg", "image/jpeg", _pattern(rb"\xff\xd8\xff"), _Jpeg),
    "png": ImageFormat("png", "image/png", _pattern(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    "webp": ImageFormat("webp", "image/webp", _pattern(rb"RIFF.{4}WEBP"), _WebP),
    "avif": ImageFormat("avif", "image/avif", _pattern(rb".{4}ftyp(.{4}){0,12}?avi[fs]"), _Avif),
    "gif": ImageFormat("gif", "image/gif", _pattern(rb"GIF8[79]a"), GifImageFile),
    "bmp": ImageFormat("bmp", "image/bmp", _pattern(rb"BM.{4}\0{4}"), BmpImageFile),
    "tiff": ImageFormat("tiff", "image/tiff", _pattern(rb"II[*+]\0|MM\0[*+]"), _Tiff),
}


def _boxes_end(source: bytes) -> int:
    """Where the last top-level box of an ISO base media file says it ends (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while position < len(source):
        size = int.from_bytes(source[position : position + 4], "big")
        position = position + size if size >= 8 else len(source)
    return position


# Asked only of files that would not decode: does the file reach its end?
IS_WHOLE: dict[str, Callable[[bytes], bool]] = {
    "jpeg": lambda source: b"\xff\xd9" in source[-1024:],
    "png": lambda source: b"IEND" in source[-1024:],
    "webp": lambda source: len(source) >= 8 + int.from_bytes(source[4:8], "little"),
    "avif": lambda source: len(source) >= _boxes_end(source),
    "gif": lambda source: source.rstrip(b"\0").endswith(b";"),
    "bmp": lambda source: len(source) >= int.from_bytes(source[2:6], "little"),
    "tiff": lambda source: len(source) > int.from_bytes(source[4:8], "little" if source[:1] == b"I" else "big"),
}

UNSUPPORTED = {
    "a HEIC image": _pattern(rb".{4}ftyp(.{4}){0,12}?(hei[cfmsx]|hev[cx]|mif1|msf1)"),
    "a JPEG 2000 image": _pattern(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "a JPEG XL image": _pattern(rb"\xff\x0a|\0\0\0\x0cJXL "),
    "a Photoshop document": _pattern(rb"8BPS"),
    "an icon": _pattern(rb"\0\0[\1\2]\0"),
}
# The most telling first.
NOT_IMAGES = {
    "an SVG drawing": _text(rb"(<(\?xml|!--|!doctype svg)[^>]*>\s*)*<svg"),
    "a login form": _text(rb"<.*?<input[^<>]*type\s*=\s*[\"']?password"),
    "an HTML page": _text(rb"<(!doctype|!--|html|head|body|title|meta|script|p\b)"),
    "an XML document": _text(rb"<"),
    "JSON": _text(rb"[{\[]"),
    "a PDF document": _pattern(rb"%PDF-"),
    "a PostScript document": _pattern(rb"%!PS|\xc5\xd0\xd3\xc6"),
    "a ZIP archive": _pattern(rb"PK[\x03\x05]"),
    "a gzip archive": _pattern(rb"\x1f\x8b"),
    "a video": _pattern(rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}AVI "),
    "plain text": _pattern(rb"[\s\x20-\x7e]+\Z"),
    "data of no known kind": _pattern(rb""),
}


def extension_of(image_format: str) -> str:
    """The file extension, without a dot, of a format that `ImageFacts` names."""
    return FORMATS[image_format].extension


def content_type_of(image_format: str) -> str:
    """The media type of a format that `ImageFacts` names."""
    return FORMATS[image_format].content_type


def identify(source: bytes) -> str:
    """The format of the file by its first bytes, whatever its name or the host says.

    Raises:
        CompressError: `not_an_image` or `unsupported_format`, saying what came instead.
    """
    if not source:
        raise CompressError("The file is empty; check that the URL still serves the picture.", code="not_an_image")
    for name, image_format in FORMATS.items():
        if image_format.signature.match(source):
            return name
    for kind, pattern in UNSUPPORTED.items():
        if pattern.match(source):
            detail = f"This is {kind}; give JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF."
            raise CompressError(detail, code="unsupported_format")
    kind = next(kind for kind, pattern in NOT_IMAGES.items() if pattern.match(source, 0, 65536))
    raise CompressError(f"This is {kind}, not an image; link to the picture file itself.", code="not_an_image")
