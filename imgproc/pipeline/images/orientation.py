"""Which way up an image is, and turning it (Exif 2.32, tag 0x0112)."""

from __future__ import annotations

import struct

from PIL import ExifTags, Image

UPRIGHT = 1
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
SHORT = 3  # the type of the tag
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

    As in Chromium, the tag counts only as a single number of 16 bits.
    """
    exif = image.info.get("exif") or b""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    order = BYTE_ORDERS.get(exif[:4])
    try:
        return UPRIGHT if order is None else _orientation_tag(exif, order)
    except struct.error:
        return UPRIGHT


def _orientation_tag(exif: bytes, order: str) -> int:
    (table,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, table)
    for entry in range(table + 2, table + 2 + 12 * count, 12):
        tag, kind, length, orientation = struct.unpack_from(order + "HHIH", exif, entry)
        if tag == ExifTags.Base.Orientation:
            is_usable = (kind, length) == (SHORT, 1) and orientation in _TURNS
            return orientation if is_usable else UPRIGHT
    return UPRIGHT


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """The width and height of an image of `size` once it is upright."""
    width, height = size
    return (height, width) if orientation >= 5 else size


def turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned upright; the picture itself where it is."""
    return picture if orientation == UPRIGHT else picture.transpose(_TURNS[orientation])
