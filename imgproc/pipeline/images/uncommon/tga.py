"""TGA by Pillow, with transparency only where the header says so (Truevision TGA 2.0, field 5.6)."""

from __future__ import annotations

import io
import struct
from typing import Any

from PIL import Image, ImageChops, ImageFile
from PIL.TgaImagePlugin import TgaImageFile

from imgproc.core.errors import CompressError

PALETTE, KIND, PALETTE_DEPTH, DEPTH, DESCRIPTOR = 1, 2, 7, 16, 17  # places in the header
HEADER = 18  # bytes
COLOURS = {2, 10}  # kinds of pixels, plain and of run lengths
ALPHA_BITS = 0x0F  # of the descriptor
INVERTED = "BGRA;15Z"  # Pillow takes a bit that is set for transparent. It is opaque in GIMP and ImageMagick.
OPAQUE = 255
MAX_PIXELS_IN_A_ROW = 40 * 10**6  # The picture is in memory twice.
STRIP = 4 * 1024 * 1024  # pixels


class Tga(TgaImageFile):
    """Many programs leave the fourth byte of a pixel at zero, and say that none of its bits is transparency."""

    fp: Any

    def _open(self) -> None:
        head = self.fp.read(HEADER)
        self.fp = _as_pillow_reads(self.fp, head)
        super()._open()
        self._has_alpha = bool(head[DESCRIPTOR] & ALPHA_BITS)
        self._is_inverted = self.mode == "RGBA" and head[DEPTH] <= 16
        if (
            self.palette is not None
            and self.palette.mode == "RGBA"
            and not (self._has_alpha and self.palette.rawmode == "BGRA")
        ):
            self.palette.rawmode = "BGR;15" if self.palette.rawmode == INVERTED else "BGRX"
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
        """Make the picture opaque unless its header declares transparency, and some pixel can be seen."""
        super().load_end()
        if self.mode != "RGBA":
            return
        alpha = self.getchannel("A")
        if self._is_inverted:
            alpha = ImageChops.invert(alpha)
            self.im.putband(alpha.im, 3)
        if not self._has_alpha or not alpha.getbbox():
            self.im.fillband(3, OPAQUE)


def _as_pillow_reads(stream: Any, head: bytes) -> Any:
    """The file from its start, with 15 bits called 16, and without a palette that its pixels do not use."""
    changed, skipped = bytearray(head), 0
    for place in (PALETTE_DEPTH, DEPTH):
        changed[place] += head[place] == 15
    if head[KIND] in COLOURS and head[PALETTE]:
        (entries,) = struct.unpack_from("<H", head, 5)
        changed[PALETTE] = 0
        skipped = entries * ((head[PALETTE_DEPTH] + 7) // 8)
    stream.seek(0)
    if changed == head:
        return stream
    source, name_ends = memoryview(stream.read()), HEADER + head[0]
    return io.BytesIO(b"".join((changed, source[HEADER:name_ends], source[name_ends + skipped :])))


class _Row(ImageFile.ImageFile):
    """All pixels of a TGA side by side."""

    fp: Any
    format = "TGA"

    def __init__(self, stream: Any, mode: str, tile: Any) -> None:
        self._wanted, self._only = mode, tile
        super().__init__(stream)

    def _open(self) -> None:
        self._mode, self._size, self.tile = self._wanted, (self._only.extents[2], 1), [self._only]
