"""White in JPEG 2000 of more than 8 bits a sample, which Pillow rounds up to 256 and stores as 0.

The picture is decoded again as one of a bit more. Its levels then lie between 64 and 192, so white stays above black.
"""

from __future__ import annotations

import io
import struct

from PIL import Image, ImageChops
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from imgproc.core.errors import CompressError

SIZE, QUANTIZATION, QUANTIZATION_OF_ONE, DATA = 0xFF51, 0xFF5C, 0xFF5D, 0xFF93  # markers (A.2)
DEPTHS_AT = 42  # where the depths of the channels start after the start of the codestream, three bytes apart
MIDDLE = 128
EXPONENT = 1 << 11  # of a step of quantization, whose lower bits are its mantissa (A.6.4)


def whiten(picture: Image.Image, source: bytes, place: int, depths: list[int]) -> Image.Image:
    """The picture with its lost white; `depths` are those of its channels, and its codestream begins at `place`.

    Raises:
        CompressError: `unsupported_format`, where black and white cannot be told apart.
    """
    bands = list(picture.split())
    lost = [depth > 8 and band.getextrema()[0] == 0 for depth, band in zip(depths, bands, strict=True)]
    if not any(lost):
        return picture
    deeper = Jpeg2KImageFile(io.BytesIO(_deeper(source, place, len(depths))))
    deeper.load()
    for number in range(len(bands)):
        if lost[number]:
            is_high = deeper.getchannel(number).point([255 * (level >= MIDDLE) for level in range(256)])
            is_zero = bands[number].point([255 * (level == 0) for level in range(256)])
            bands[number].paste(255, mask=ImageChops.darker(is_high, is_zero))
    del deeper  # It takes as much memory as the picture that is made now.
    return Image.merge(picture.mode, bands)


def _deeper(source: bytes, place: int, channels: int) -> bytes:
    """The file with a bit more for each sample, and the same steps of quantization."""
    body, position = bytearray(source), place + 2
    while position + 4 <= len(body):
        marker, length = struct.unpack_from(">HH", body, position)
        if marker == DATA:
            break
        if marker == SIZE:
            for at in range(place + DEPTHS_AT, place + DEPTHS_AT + 3 * channels, 3):
                body[at] += 1
        elif marker in {QUANTIZATION, QUANTIZATION_OF_ONE}:
            at = position + 4 + (marker == QUANTIZATION_OF_ONE) * (1 if channels < 257 else 2)
            _move_steps(body, at, position + 2 + length)
        position += 2 + length
    return bytes(body)


def _move_steps(body: bytearray, at: int, end: int) -> None:
    """Take one guard bit for a larger exponent, so that each band keeps its step and its bits (E-2 and E-3)."""
    if not body[at] & 31:  # Lossless: the steps do not depend on the depth.
        return
    if body[at] < 32 or any(body[step] >= 0xF8 for step in range(at + 1, end, 2)):
        detail = "The JPEG 2000 picture has a rare depth, which is not supported; export it with 8 bits a channel."
        raise CompressError(detail, code="unsupported_format")
    body[at] -= 32
    for step in range(at + 1, end - 1, 2):
        (value,) = struct.unpack_from(">H", body, step)
        struct.pack_into(">H", body, step, value + EXPONENT)
