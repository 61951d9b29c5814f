"""Which way up an image is, and turning it (Exif 2.32, tag 0x0112)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import ExifTags, Image

UPRIGHT = 1
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
SHORT, LONG = 3, 4  # types of tags
ENTRY = 12  # bytes of a tag in a table
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """The orientation that the file gives, 1 to 8; 1, upright, where it gives none or cannot be read.

    As in Chromium, the first tag counts that is a single number of 16 bits in range. It may be in the inner table.
    """
    exif = (image.info.get("exif") or b"").removeprefix(b"Exif\0\0")
    order = BYTE_ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return UPRIGHT
    return next(_orientations(exif, order, *struct.unpack_from(order + "I", exif, 4)), UPRIGHT)


def _orientations(exif: bytes, order: str, table: int, *, is_inner: bool = False) -> Iterator[int]:
    """The usable orientations of a table and of the first one inside it; a table may be cut."""
    (count,) = struct.unpack_from(order + "H", exif, table) if table + 2 <= len(exif) else (0,)
    for entry in range(table + 2, min(table + 2 + ENTRY * count, len(exif) - ENTRY + 1), ENTRY):
        tag, *kind, value = struct.unpack_from(order + "HHI4s", exif, entry)
        if tag == ExifTags.Base.Orientation and kind == [SHORT, 1]:
            (orientation,) = struct.unpack_from(order + "H", value)
            yield from {orientation} & {UPRIGHT, *_TURNS}
        elif tag == ExifTags.IFD.Exif and kind == [LONG, 1] and not is_inner:
            is_inner = True  # Tables of tables would take hours.
            yield from _orientations(exif, order, *struct.unpack(order + "I", value), is_inner=True)


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """The width and height of an image of `size` once it is upright."""
    width, height = size
    return (height, width) if orientation >= 5 else size


def turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned upright; the picture itself where it is."""
    return picture if orientation == UPRIGHT else picture.transpose(_TURNS[orientation])
