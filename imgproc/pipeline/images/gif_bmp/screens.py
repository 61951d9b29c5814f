"""Opens GIF and BMP files as Chromium shows them, where Pillow shows something else."""

from __future__ import annotations

import io
import os
from typing import Any, cast

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile

from imgproc.pipeline.images.gif_bmp.bmp_layout import BmpLayout, own_layout, profile_of
from imgproc.pipeline.images.gif_bmp.gif_blocks import after_blocks, table_size

CONTROL, CONTROL_BYTES = 0xF9, 4  # the label of a graphic control extension, and its size (GIF89a, 23)
STRIP_ROWS = 256  # converted at a time, so that no copy of the whole is needed


class Gif(GifImageFile):
    """Leaves what the first frame does not cover transparent. Pillow fills it with a colour of the palette.

    Without any palette all colours are black, as browsers show them; Pillow makes them grey.
    """

    def _open(self) -> None:
        super()._open()
        if "transparency" in self.info and not _has_clear_number(cast("io.BytesIO", self.fp).getvalue()):
            del self.info["transparency"]

    @property
    def has_transparency_data(self) -> bool:
        """Whether any pixel may be transparent."""
        return super().has_transparency_data or not self._is_covered()

    def _is_covered(self) -> bool:
        return not self.tile or self.tile[0].extents == (0, 0, *self.size)

    def load_prepare(self) -> None:
        """Note the place of the frame and whether it has a palette, which Pillow forgets."""
        frame = None if self._is_covered() else self.tile[0].extents
        has_palette = self._frame_palette is not None or "background" in self.info
        self._fix = (frame, has_palette)
        super().load_prepare()

    def load_end(self) -> None:
        """Make what the frame does not cover transparent."""
        super().load_end()
        frame, has_palette = self._fix
        is_clear = "transparency" in self.info  # Pillow fills the rest with the transparent number then.
        if not has_palette and self.mode == "L":
            self._make_black()
        if frame is None or is_clear:
            return
        whole = Image.Image()._new(self.im)  # a plain picture of the same pixels
        whole.palette = self.palette
        shown = Image.new("RGBA", self.size)
        left, top, right, bottom = frame
        for row in range(top, bottom, STRIP_ROWS):
            part = whole.crop((left, row, right, min(bottom, row + STRIP_ROWS)))
            shown.paste(part.convert("RGB"), (left, row))
        self.im, self._mode, self.palette = shown.im, "RGBA", None

    def _make_black(self) -> None:
        """Make every pixel black but those of the transparent number."""
        clear = self.info.pop("transparency", None)
        if clear is None:
            self.im.paste(0, (0, 0, *self.size))
            return
        alpha = Image.Image()._new(self.im).point([255 * (level != clear) for level in range(256)])
        self._mode, self.im = "LA", Image.merge("LA", (Image.new("L", self.size), alpha)).im


def _has_clear_number(source: bytes) -> bool:
    """Whether the last graphic control before the first frame names a transparent colour, or no frame follows it.

    Pillow would keep the transparent colour of an earlier graphic control.
    """
    is_clear, position = False, 13 + table_size(source[10])
    while source[position : position + 1] == b"!":
        if source[position + 1] == CONTROL and source[position + 2] >= CONTROL_BYTES:
            is_clear = bool(source[position + 3] & 1)
        position = after_blocks(source, position + 2)
    return is_clear or source[position : position + 1] != b","


class _OwnBmp(ImageFile.ImageFile):
    """A BMP that is read by bmp_picture.py."""

    format, format_description = "BMP", "Windows Bitmap"

    def __init__(self, stream: io.BytesIO, layout: BmpLayout) -> None:
        self._layout = layout
        super().__init__(stream)

    def _open(self) -> None:
        self._size = (self._layout.width, self._layout.height)
        self._mode = "RGBA" if self._layout.masks[3] and self._layout.bits > 8 else "RGB"
        self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, (self.mode, 0, 1))]

    def load(self) -> Any:
        """Decode the picture."""
        if self.tile:
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # or it reserves 40 MB for each core
            from imgproc.pipeline.images.gif_bmp.bmp_picture import read_picture  # noqa: PLC0415 - imports numpy, seldom needed

            self.im = read_picture(cast("io.BytesIO", self.fp).getvalue(), self._layout).im
            self.tile = []
        return Image.Image.load(self)


def open_bmp(stream: io.BytesIO) -> ImageFile.ImageFile:
    """Read the headers of a BMP.

    Raises:
        CompressError: `unsupported_format`, for kinds that are not read.
    """
    source = stream.getvalue()
    layout = own_layout(source)
    image = BmpImageFile(stream) if layout is None else _OwnBmp(stream, layout)
    image.info["icc_profile"] = profile_of(source)
    return image
