"""The decoder of each input format: Pillow's plugins, without the parts of them that cost too much."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable
from typing import IO

from PIL import AvifImagePlugin, ExifTags, Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from imgproc.pipeline.images.heic import Heic
from imgproc.pipeline.images.icons import open_icon
from imgproc.pipeline.images.jpeg2000 import Jpeg2000
from imgproc.pipeline.images.limits import check_tags
from imgproc.pipeline.images.pnm import Pnm
from imgproc.pipeline.images.psd import Psd
from imgproc.pipeline.images.svg import Svg
from imgproc.pipeline.images.tga import Tga

# Pillow has no argument for the number of threads. Each thread needs memory, and other images keep the cores busy.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class _Avif(AvifImageFile):
    """Frees the decoder and its copy of the picture before Pillow allocates its own."""

    def load_prepare(self) -> None:
        del self._decoder
        super().load_prepare()


class _WebP(WebPImageFile):
    """Frees the decoder for the same reason: libwebp holds two copies of the picture."""

    def load_prepare(self) -> None:
        del self._decoder
        super().load_prepare()


class _Jpeg(JpegImageFile):
    """Does not read the DPI from Exif: we ignore it, and it may be a table of millions of numbers."""

    def _read_dpi_from_exif(self) -> None:
        """No-op: we ignore the DPI."""


class _Tiff(TiffImageFile):
    """Gives the orientation in `info`, as other formats do; Pillow would turn the picture at full size."""

    def _setup(self) -> None:
        check_tags(self)
        super()._setup()
        self._size = self._tile_size
        orientation = self.tag_v2.get(ExifTags.Base.Orientation, 1)
        if orientation in range(2, 9):  # Broken files hold any value here.
            tags = Image.Exif()
            tags[ExifTags.Base.Orientation] = int(orientation)
            self.info["exif"] = tags.tobytes()

    def load_end(self) -> None:
        """No-op: Pillow would turn the picture and read tags that we ignore."""


# Image.open would also try MPO, and hides the decoder's message behind one error.
_PLUGINS: dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "jpeg": _Jpeg,
    "png": PngImageFile,
    "webp": _WebP,
    "avif": _Avif,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
    "tiff": _Tiff,
    "heic": Heic,
    "jp2": Jpeg2000,
    "psd": Psd,
    "ico": open_icon,
    "pnm": Pnm,
    "svg": Svg,
    "tga": Tga,
}


def open_image(stream: IO[bytes], image_format: str) -> ImageFile.ImageFile:
    """Read the headers of an image, of the format that `identify` returned; no pixel is decoded."""
    return _PLUGINS[image_format](stream)


_SILENCE = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_silencing = threading.Lock()


def silence_pillow() -> None:
    """Ignore Pillow's warnings about odd metadata, which the output drops.

    `warnings.catch_warnings` is not thread-safe, so the process has one filter. A later call
    moves it to the front again.
    """
    with _silencing:
        if warnings.filters[:1] != [_SILENCE]:
            warnings.filterwarnings("ignore", module=r"PIL\.")
