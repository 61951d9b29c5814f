"""The decoder of each format: Pillow's plugins, with the parts of them that cost too much left out."""

from __future__ import annotations

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

from imgproc.pipeline.images.limits import check_tags

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


# Image.open would also try MPO, and hides the decoder's message behind one error.
_PLUGINS: dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "jpeg": _Jpeg,
    "png": PngImageFile,
    "webp": _WebP,
    "avif": _Avif,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
    "tiff": _Tiff,
}


def open_image(stream: IO[bytes], image_format: str) -> ImageFile.ImageFile:
    """Read the headers of an image whose format `identify` told; no pixel is decoded."""
    return _PLUGINS[image_format](stream)
