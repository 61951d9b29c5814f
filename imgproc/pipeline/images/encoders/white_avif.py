"""Keeps white white in AVIF, whose encoder leaves spots of it some levels darker.

Samples of full range cannot be brighter than white, so every error of the encoder shows. Samples of limited range can:
luma from 235 to 254 is shown as white (ITU-R BT.601). libavif gets samples of limited range as if they were of full
range, with white above 235, and the finished file says what they are.
"""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

from imgproc.pipeline.images.avif.av1_header import sequence_colours
from imgproc.pipeline.images.avif.avif_colours import MOST_HEADER, primary_item

ABOVE, FAR_ABOVE = 243, 255  # the luma of white; the encoder's drift stays above 235
COARSE = 46  # Below this quality the drift is larger.
BLOCK = 8  # pixels a side; white counts as an area if a block and all beside it are white
STRIP_PIXELS = 1024 * 1024  # looked at, so that no copy of the whole is needed
BLACK, LUMA, CHROMA = 16, 219 / 255, 224 / 255  # of limited range, and how much of a level of full range is one of it
WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue in luma (BT.601), which libavif uses for sRGB
FULL = 0x80  # the flag of a full range in nclx
ONLY_WHITE = [0] * 255 + [255]
TO_LIMITED = [round(BLACK + level * LUMA) for level in range(256)]
# The same for red, green and blue: their differences to luma shrink less than luma does.
MATRIX = tuple(
    part
    for row in range(3)
    for part in (*((LUMA - CHROMA) * weight + CHROMA * (row == at) for at, weight in enumerate(WEIGHTS)), BLACK)
)


def has_white_areas(picture: Image.Image) -> bool:
    """Whether an L, RGB or RGBA picture has areas that are nothing but white."""
    width, height = picture.size
    rows = max(BLOCK, STRIP_PIXELS // width // BLOCK * BLOCK)
    return any(_has_white(picture.crop((0, top, width, min(height, top + rows)))) for top in range(0, height, rows))


def _has_white(strip: Image.Image) -> bool:
    blocks = _darkest(strip).point(ONLY_WHITE).reduce(BLOCK).point(ONLY_WHITE)
    return blocks.filter(ImageFilter.MinFilter(3)).getbbox() is not None


def _darkest(image: Image.Image) -> Image.Image:
    """The smallest sample of each pixel."""
    if image.mode == "L":
        return image
    red, green, blue = image.split()[:3]
    return ImageChops.darker(ImageChops.darker(red, green), blue)


def to_limited(picture: Image.Image, *, quality: int) -> Image.Image:
    """The picture in samples of limited range, with white above 235: it stays white where the encoder darkens it."""
    white = ABOVE if quality >= COARSE else FAR_ABOVE
    if picture.mode == "L":
        return picture.point([*TO_LIMITED[:255], white])
    limited = picture.convert("RGB").convert("RGB", MATRIX)
    limited.paste((white, white, white), mask=_darkest(picture).point(ONLY_WHITE))
    if picture.mode == "RGBA":
        limited.putalpha(picture.getchannel("A"))
    return limited


def marked_limited(avif: bytes) -> bytes:
    """A file of our own encoder that says that the samples of its primary picture are of limited range."""
    marked = bytearray(avif)
    properties, place = primary_item(avif)
    for name, start, _ in properties:
        if name == b"colr":
            marked[start + 10] &= ~FULL
    headers = [(start + 4, end) for name, start, end in properties if name == b"av1C"]
    for start, end in [*headers, *([(place, place + MOST_HEADER)] if place else [])]:
        if coded := sequence_colours(avif[start:end]):
            byte, bit = divmod(coded.range_bit, 8)
            marked[start + byte] &= ~(0x80 >> bit)
    return bytes(marked)
