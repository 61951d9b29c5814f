"""Makes the picture of a BMP that Pillow does not read: bit masks, run lengths, two bits a pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgproc.pipeline.images.gif_bmp.bmp_layout import RLE4, RUN_LENGTHS, BmpLayout

SLICE_PIXELS = 256 * 1024
Bytes = npt.NDArray[np.uint8]
END_OF_LINE, END_OF_BITMAP, JUMP = 0, 1, 2  # after a count of 0
UNTOUCHED = 256  # the number of a pixel that no run sets; it stays black


def read_picture(source: bytes, layout: BmpLayout) -> Image.Image:
    """Decode the pixels, as RGB or RGBA.

    Raises:
        OSError: pixels are missing.
    """
    is_runs = (layout.compression, layout.bits) in RUN_LENGTHS
    if not is_runs and len(source) < layout.pixels_at + layout.row_bytes * layout.height:
        raise OSError("image file is truncated")
    numbers = _runs(source[layout.pixels_at :], layout) if is_runs else None
    picture = Image.new("RGBA" if layout.masks[3] and layout.bits > 8 else "RGB", (layout.width, layout.height))
    step = max(1, SLICE_PIXELS // layout.width)
    for top in range(0, layout.height, step):
        rows = min(step, layout.height - top)
        first = top if layout.is_top_down else layout.height - top - rows
        if numbers is not None:
            pixels = _colours(source, layout)[numbers[first : first + rows]]
        else:
            pixels = _pixels(_lines(source, layout, first, rows), source, layout)
        picture.paste(Image.fromarray(pixels if layout.is_top_down else pixels[::-1]), (0, top))
    return picture


def _lines(source: bytes, layout: BmpLayout, first: int, rows: int) -> Bytes:
    """Rows of bytes, as the file holds them."""
    place = layout.pixels_at + first * layout.row_bytes
    lines: Bytes = np.frombuffer(source, np.uint8, rows * layout.row_bytes, place).reshape(rows, layout.row_bytes)
    return lines


def _pixels(lines: Bytes, source: bytes, layout: BmpLayout) -> Bytes:
    width = layout.width
    if layout.bits == 24:
        return np.ascontiguousarray(lines[:, : width * 3].reshape(-1, width, 3)[..., ::-1])
    if layout.bits == 8:
        return _colours(source, layout)[lines[:, :width]]
    if layout.bits < 8:
        single = np.unpackbits(lines, axis=1).reshape(len(lines), -1, layout.bits)
        weights = 1 << np.arange(layout.bits - 1, -1, -1)
        return _colours(source, layout)[(single @ weights)[:, :width]]
    words = lines.view(f"<u{layout.bits // 8}")[:, :width]
    return np.stack([_channel(words, mask) for mask in layout.masks[: 4 if layout.masks[3] else 3]], axis=2)


def _channel(words: npt.NDArray[np.unsignedinteger], mask: int) -> Bytes:
    """The bits of one mask, as 0 to 255; 0 where it has none."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    values = (words & words.dtype.type(mask)) >> words.dtype.type(shift)
    channel: Bytes = np.rint(values * (255 / (mask >> shift))).astype(np.uint8)
    return channel


def _colours(source: bytes, layout: BmpLayout) -> Bytes:
    """The palette as RGB, black where it ends, and black as its last colour."""
    known = source[layout.palette_at : layout.palette_at + min(layout.palette_bytes, 256 * layout.entry_bytes)]
    known = known[: len(known) // layout.entry_bytes * layout.entry_bytes]
    colours = np.zeros((UNTOUCHED + 1, 3), np.uint8)
    entries = np.frombuffer(known, np.uint8).reshape(-1, layout.entry_bytes)
    colours[: len(entries)] = entries[:, 2::-1]
    return colours


def _runs(data: bytes, layout: BmpLayout) -> npt.NDArray[np.uint16]:
    """The palette number of each pixel, from the bottom row up (BI_RLE8 and BI_RLE4)."""
    numbers = np.full((layout.height, layout.width), UNTOUCHED, np.uint16)
    halves = layout.compression == RLE4
    x = y = place = 0
    while y < layout.height:
        if place + 2 > len(data):
            if (x, y) == (layout.width, layout.height - 1):
                return numbers
            raise OSError("image file is truncated")
        count, value = data[place], data[place + 1]
        place += 2
        if (count, value) == (0, END_OF_BITMAP):
            return numbers
        if (count, value) == (0, END_OF_LINE):
            x, y = 0, y + 1
        elif (count, value) == (0, JUMP):
            across, up = data[place : place + 2].ljust(2, b"\0")
            x, y, place = x + across, y + up, place + 2
        else:
            count, size = (count, 0) if count else (value, (value + halves) // (1 + halves))
            pixels = data[place : place + size] if size else bytes([value]) * count
            place += size + size % 2
            pixels = (_nibbles(pixels) if halves else pixels)[: min(count, max(0, layout.width - x))]
            numbers[y, x : x + len(pixels)] = np.frombuffer(pixels, np.uint8)
            x += count
    return numbers


def _nibbles(data: bytes) -> bytes:
    """The halves of bytes, the higher first."""
    return bytes(half for byte in data for half in (byte >> 4, byte & 15))
