"""Icons and cursors (ICO, CUR): the largest of their pictures, which is a PNG or a bitmap with a mask."""

from __future__ import annotations

import io
import struct
from typing import IO, Any, NamedTuple

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import DibImageFile

from imgproc.pipeline.images.gif_bmp.bmp_layout import BIT_MASKS
from imgproc.pipeline.images.guards.parts import check_parts, unusual
from imgproc.pipeline.images.png.png_reader import open_png

MAX_ENTRIES = 256
MAX_SIDE = 2048  # of a bitmap; the directory of an icon holds 256 at most
PNG = b"\x89PNG\r\n\x1a\n"
CURSOR = 2
WITH_ALPHA = 56  # bytes of a header that has a mask of the transparency


class _Entry(NamedTuple):
    pixels: int
    bits: int
    size: int
    offset: int


def open_icon(stream: IO[bytes]) -> ImageFile.ImageFile:
    """Read the headers of the largest picture, and of those of its size the one with the most bits a pixel.

    Raises:
        CompressError: `unsupported_format`, for more pictures, or a larger bitmap, than icons have.
    """
    source = stream.read()
    kind, count = struct.unpack_from("<HH", source, 2)
    if count > MAX_ENTRIES:
        raise unusual("icon", "too many pictures")
    best = max(_entry(source, 6 + 16 * number, is_cursor=kind == CURSOR) for number in range(count))
    body = source[best.offset :]  # Browsers ignore the size in the directory, unless bytes are missing.
    if len(body) < best.size:
        raise EOFError("truncated")
    if best.offset < 6 + 16 * count:
        raise SyntaxError("a picture in the directory")
    if body.startswith(PNG):
        check_parts(body, "png")
        picture = open_png(io.BytesIO(body))
        picture.info.pop("exif", None)  # Browsers turn no icon.
        return picture
    _, width, height = struct.unpack_from("<Iii", body)
    if not (0 < width <= MAX_SIDE and 0 < abs(height) <= 2 * MAX_SIDE):  # Rows from the top have a height below 0.
        raise unusual("icon", f"a bitmap of more than {MAX_SIDE:,} pixels a side")
    return _Bitmap(io.BytesIO(body))


def _entry(source: bytes, at: int, *, is_cursor: bool) -> _Entry:
    width, height, _, _, _, bits, size, offset = struct.unpack_from("<BBBBHHII", source, at)
    return _Entry((width or 256) * (height or 256), 0 if is_cursor else bits, size, offset)


class _Bitmap(DibImageFile):
    """A bitmap whose header counts the rows of the picture and those of the mask, one bit a pixel, below it."""

    fp: Any

    def _open(self) -> None:
        super()._open()
        self._size = self.width, self.height // 2
        whole: Any = self.tile[0]
        name, _, offset, (raw, stride, direction) = whole
        self._mask_at, self._direction = offset + stride * self.height, direction
        if raw == "BGRX" and self._has_alpha():
            self._mode, raw = "RGBA", "BGRA"
        self.tile = [ImageFile._Tile(name, (0, 0, *self.size), offset, (raw, stride, direction))]

    def _has_alpha(self) -> bool:
        """Whether 32 bits a pixel include transparency: by its mask, or where a header has none, without masks."""
        header = self.fp.getvalue()[:WITH_ALPHA].ljust(WITH_ALPHA, b"\0")
        size, compression, mask = struct.unpack("<I12xI32xI", header)
        return bool(mask if size >= WITH_ALPHA else compression != BIT_MASKS)

    def load_end(self) -> None:
        """Apply the mask, unless the pixels have transparency of their own."""
        picture = Image.Image._new(self, self.im)
        if self.mode == "RGBA" and picture.getchannel("A").getextrema() != (0, 0):
            return
        picture = picture.convert("RGB").convert("RGBA")
        stride = -(-self.width // 32) * 4
        self.fp.seek(self._mask_at)
        mask = self.fp.read(stride * self.height)
        if len(mask) == stride * self.height:  # Some icons have none.
            picture.putalpha(Image.frombytes("1", self.size, mask, "raw", "1;I", stride, self._direction).convert("L"))
        self.im, self._mode, self.palette = picture.im, "RGBA", None
