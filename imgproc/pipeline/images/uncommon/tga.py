"""TGA by Pillow, with transparency only where the header says so (Truevision TGA 2.0, field 5.6)."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageFile
from PIL.TgaImagePlugin import TgaImageFile

from imgproc.core.errors import CompressError

ALPHA_BITS = 0x0F  # of the descriptor
OPAQUE = 255
MAX_PIXELS_IN_A_ROW = 40 * 10**6  # The picture is in memory twice.
STRIP = 4 * 1024 * 1024  # pixels


class Tga(TgaImageFile):
    """Many programs leave the fourth byte of a pixel at zero, and say that none of its bits is transparency."""

    fp: Any

    def _open(self) -> None:
        super()._open()
        self.fp.seek(17)
        self._has_alpha = bool(self.fp.read(1)[0] & ALPHA_BITS)
        if self.palette is not None and not self._has_alpha and self.palette.rawmode == "BGRA":
            self.palette.rawmode = "BGRX"
            self.palette.mode = "RGB"

    def load(self) -> Any:
        """Decode the picture at first use. In older files runs go on in the next row, which Pillow refuses."""
        tiles, stream = list(self.tile), self.fp
        try:
            return super().load()
        except OSError:
            if not tiles or tiles[0].codec_name != "tga_rle":
                raise
        self.fp, self._im = stream, None  # Pillow let go of the one, and keeps what it has of the other.
        self._load_as_one_row(tiles[0])
        return super().load()

    def _load_as_one_row(self, tile: Any) -> None:
        """Decode the picture as one row, and cut that into rows."""
        if self.width * self.height > MAX_PIXELS_IN_A_ROW:
            detail = "Decoding this TGA takes too much memory; give a smaller one, or export it as PNG."
            raise CompressError(detail, code="too_many_pixels")
        raw, direction, depth = tile.args
        extents = (0, 0, self.width * self.height, 1)
        row = _Row(self.fp, self.mode, tile._replace(extents=extents, args=(raw, 1, depth)))
        row.load()
        picture = Image.new(self.mode, self.size)
        rows = max(1, STRIP // self.width)
        for top in range(0, self.height, rows):
            height = min(rows, self.height - top)
            part = row.crop((top * self.width, 0, (top + height) * self.width, 1)).tobytes()
            strip = Image.frombytes(self.mode, (self.width, height), part)
            if direction < 0:
                strip = strip.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            picture.paste(strip, (0, top if direction > 0 else self.height - top - height))
        self.im, self.tile = picture.im, []
        self.load_end()

    def load_end(self) -> None:
        """Make the picture opaque unless its header declares transparency."""
        super().load_end()
        if self.mode == "RGBA" and not self._has_alpha:
            self.im.fillband(3, OPAQUE)


class _Row(ImageFile.ImageFile):
    """All pixels of a TGA side by side."""

    fp: Any
    format = "TGA"

    def __init__(self, stream: Any, mode: str, tile: Any) -> None:
        self._wanted, self._only = mode, tile
        super().__init__(stream)

    def _open(self) -> None:
        self._mode, self._size, self.tile = self._wanted, (self._only.extents[2], 1), [self._only]
