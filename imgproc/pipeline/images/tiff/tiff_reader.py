"""Opens a TIFF at the page to show, and reads it by Pillow where that is right, else by tiff_picture.py."""

from __future__ import annotations

import ctypes
import io
import os
from functools import cache
from typing import Any, cast

from PIL import ExifTags, Image, _imaging
from PIL.TiffImagePlugin import PREFIXES, TiffImageFile

from imgproc.pipeline.images.guards.limits import check_tags
from imgproc.pipeline.images.tiff.tiff_layout import (
    COMPRESSION,
    LZW,
    PHOTOMETRIC,
    UNCOMPRESSED,
    YCBCR,
    Layout,
    own_layout,
)
from imgproc.pipeline.images.tiff.tiff_pages import picture_page

ICC_PROFILE = 34675
BIG_ENDIAN_BIG, PILLOWS_BIG = b"MM\0+", b"MM+\0"
PREFIXES.append(PILLOWS_BIG)


class _Tiff(TiffImageFile):
    """Gives the orientation in `info`, as other formats do; Pillow would turn the picture at full size."""

    layout: Layout | None = None  # of pages that Pillow does not read as they are meant

    def _setup(self) -> None:
        check_tags(self)
        self.layout = own_layout(self.tag_v2, prefix=self.tag_v2.prefix)
        if self.layout is None:
            if self.tag_v2.get(PHOTOMETRIC) == YCBCR and self.tag_v2.get(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED:
                self.tag_v2[COMPRESSION] = LZW  # Makes Pillow call libtiff, which knows of subsampling.
            super()._setup()
            self._size = self._tile_size
        else:
            self._size = self._tile_size = (self.layout.width, self.layout.height)
            self._mode = self.layout.mode
            if profile := self.tag_v2.get(ICC_PROFILE):
                self.info["icc_profile"] = profile
        orientation = self.tag_v2.get(ExifTags.Base.Orientation, 1)
        if orientation in range(2, 9):  # Broken files hold any value here.
            tags = Image.Exif()
            tags[ExifTags.Base.Orientation] = int(orientation)
            self.info["exif"] = tags.tobytes()

    def load(self) -> Any:
        if self.layout is not None and self._im is None:
            self._read(self.layout)
        return super().load()

    def _read(self, layout: Layout) -> None:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # or it reserves 40 MB for each core
        from imgproc.pipeline.images.tiff.tiff_picture import read_picture  # noqa: PLC0415 - imports numpy, seldom needed

        profile = self.info.get("icc_profile")
        self.im = read_picture(cast("io.BytesIO", self.fp).getvalue(), layout, profile=profile).im
        if layout.is_converted:
            self.info.pop("icc_profile", None)

    def load_end(self) -> None:
        """No-op: Pillow would turn the picture and read tags that we ignore."""


def open_tiff(stream: io.BytesIO) -> TiffImageFile:
    """Read the headers of a TIFF at the page to show.

    Raises:
        CompressError: `unsupported_format`, for raw camera files and kinds that are not read.
    """
    _silence_libtiff()
    source = stream.getvalue()
    source = picture_page(source) or source
    if source[:4] == BIG_ENDIAN_BIG:
        return _open_big(source)
    return _Tiff(io.BytesIO(source))


def _open_big(source: bytes) -> TiffImageFile:
    """Open a big-endian BigTIFF, whose mark Pillow looks for in the third byte. libtiff needs it in the fourth."""
    stream = io.BytesIO(source)
    with stream.getbuffer() as header:
        header[2:4] = PILLOWS_BIG[2:]
    image = _Tiff(stream)
    with stream.getbuffer() as header:
        header[2:4] = BIG_ENDIAN_BIG[2:]
    return image


@cache
def _silence_libtiff() -> None:
    """Stop libtiff in Pillow from writing to stderr, as it does for each damaged row or unknown tag.

    The functions are found through the module that is linked to it; Windows does not search there.
    """
    library = ctypes.CDLL(_imaging.__file__)
    for handler in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(library, handler):
            getattr(library, handler)(None)
