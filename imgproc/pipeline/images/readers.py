"""The decoder of each input format: Pillow's plugins, without the parts of them that cost too much."""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Callable
from typing import Any, cast

from PIL import AvifImagePlugin, ImageFile
from PIL.AvifImagePlugin import AvifImageFile

from imgproc.pipeline.images.avif.avif_colours import FULL, colours_of_avif, shown_size
from imgproc.pipeline.images.avif.avif_mend import join_associations
from imgproc.pipeline.images.child_process.heic import Heic
from imgproc.pipeline.images.child_process.jpeg2000 import Jpeg2000
from imgproc.pipeline.images.child_process.svg import Svg
from imgproc.pipeline.images.colour.icc import is_usable
from imgproc.pipeline.images.gif_bmp.screens import Gif, open_bmp
from imgproc.pipeline.images.jpeg.jpeg_reader import open_jpeg
from imgproc.pipeline.images.png.png_reader import open_png
from imgproc.pipeline.images.tiff.tiff_reader import open_tiff
from imgproc.pipeline.images.uncommon.icons import open_icon
from imgproc.pipeline.images.uncommon.psd import Psd
from imgproc.pipeline.images.uncommon.tga import Tga
from imgproc.pipeline.images.webp_reader import WebP

# Pillow has no argument for the number of threads. Each thread needs memory, and other images keep the cores busy.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class _Avif(AvifImageFile):
    """Reads the colour space, and frees the decoder and its copy of the picture before Pillow allocates its own."""

    def _open(self) -> None:
        source = join_associations(cast("io.BytesIO", self.fp).read())
        space, is_grey, aperture, range_at = colours_of_avif(source)
        if range_at is not None:
            source = source[:range_at] + bytes([source[range_at] | FULL]) + source[range_at + 1 :]
        self.fp = io.BytesIO(source)
        super()._open()
        self.info["is_grey"] = is_grey
        self.coded_size = self.size
        self._size = shown_size(aperture, self.size)
        if not is_usable(self.info.get("icc_profile", b"")):
            self.info["colour_space"] = space

    def load(self) -> Any:
        """Decode the picture and cut what is not shown."""
        if self.tile and self.coded_size != self.size:
            shown, self._size = self.size, self.coded_size
            super().load()
            self.im = self.im.crop((0, 0, *shown))
            self._size = shown
        return super().load()

    def load_prepare(self) -> None:
        del self._decoder
        super().load_prepare()


def _open_pnm(stream: io.BytesIO) -> ImageFile.ImageFile:
    from imgproc.pipeline.images.uncommon.pnm import Pnm  # noqa: PLC0415 - imports numpy, seldom needed

    return Pnm(stream)


# Image.open would also try MPO, and hides the decoder's message behind one error.
_PLUGINS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "jpeg": open_jpeg,
    "png": open_png,
    "webp": WebP,
    "avif": _Avif,
    "gif": Gif,
    "bmp": open_bmp,
    "tiff": open_tiff,
    "heic": Heic,
    "jp2": Jpeg2000,
    "psd": Psd,
    "ico": open_icon,
    "pnm": _open_pnm,
    "svg": Svg,
    "tga": Tga,
}


def open_image(stream: io.BytesIO, image_format: str) -> ImageFile.ImageFile:
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
