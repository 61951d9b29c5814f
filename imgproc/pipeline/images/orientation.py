"""Which way up an image is, and turning it (Exif 2.32, tag 0x0112)."""

from __future__ import annotations

from PIL import ExifTags, Image

from imgproc.pipeline.images.faults import FAULTS

MAX_EXIF_BYTES = 1024 * 1024  # A JPEG holds at most 64 KiB of Exif, or a little more with a thumbnail.
UPRIGHT = 1
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
    """The orientation that the file gives, 1 to 8; 1, upright, where it gives none or cannot be read."""
    exif = image.info.get("exif")
    tags = Image.Exif()
    try:
        tags.load(exif if exif and len(exif) <= MAX_EXIF_BYTES else b"")
        orientation = tags.get(ExifTags.Base.Orientation)
    except FAULTS:
        return UPRIGHT
    return orientation if orientation in _TURNS else UPRIGHT


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """The width and height of an image of `size` once it is upright."""
    width, height = size
    return (height, width) if orientation >= 5 else size


def turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned upright; the picture itself where it is."""
    return picture if orientation == UPRIGHT else picture.transpose(_TURNS[orientation])
