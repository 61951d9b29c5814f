"""JPEG 2000 by Pillow's OpenJPEG, with the colour profile that Pillow leaves out (ISO/IEC 15444-1, I.5.3)."""

from __future__ import annotations

import struct
from typing import Any

from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from imgproc.pipeline.images.avif.avif_boxes import boxes

MAX_HEADER_BYTES = 8 * 1024 * 1024
CODESTREAM = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ
SAMPLE_BYTES = 5  # of a tile while it is decoded; measured on 12 megapixels of one and three channels
ICC_METHODS = (2, 3)  # restricted profiles, and any (JPX)


class Jpeg2000(Jpeg2KImageFile):
    """Gives the ICC profile in `info`, as other formats do, and white where the samples have fewer than 8 bits."""

    fp: Any

    def _open(self) -> None:
        super()._open()
        self.fp.seek(0)
        head = self.fp.read(MAX_HEADER_BYTES)
        if profile := _icc_profile(head):
            self.info["icc_profile"] = profile
        self.tile_pixels = _tile_pixels(head)
        self._depths = _depths(head)
        if self.mode == "L" and self._depths == [9]:
            self._mode = "I;16"  # Pillow reads 9 bits as black.

    def load(self) -> Any:
        """Decode, and widen samples of fewer than 8 bits, which Pillow only shifts to the left."""
        depths, is_new = self._depths, bool(self.tile)
        loaded = super().load()
        if is_new and min(depths) < 8 and len(depths) == len(self.getbands()):
            widths = [None if self.mode == "P" else 255] * len(depths)
            levels = [level for depth, most in zip(depths, widths, strict=True) for level in _levels(depth, most)]
            self.im = self.im.point(levels, None)
            loaded = super().load()
        return loaded


def decoder_bytes(image: Any) -> float:
    """Bytes of the picture and of one tile, which OpenJPEG decodes as a whole; most pictures are one tile."""
    pixels: int = image.width * image.height
    tile: int = min(pixels, image.tile_pixels)
    return pixels * 4 + tile * len(image.getbands()) * SAMPLE_BYTES


def _tile_pixels(head: bytes) -> int:
    """The pixels of a tile (ISO/IEC 15444-1, A.5.1)."""
    place = head.find(CODESTREAM)
    if place < 0:
        raise SyntaxError("no codestream")
    width, height = struct.unpack_from(">II", head, place + 24)
    return int(width * height)


def _depths(head: bytes) -> list[int]:
    """The bits of a sample of each channel (ISO/IEC 15444-1, A.5.1)."""
    place = head.find(CODESTREAM)
    (count,) = struct.unpack_from(">H", head, place + 40)
    return [(bits & 0x7F) + 1 for bits in head[place + 42 : place + 42 + 3 * count : 3]]


def _levels(depth: int, most: int | None) -> list[int]:
    """What each level that Pillow gives means: a share of `most`, or the number of a palette's colour."""
    numbers = [level >> max(0, 8 - depth) for level in range(256)]
    return numbers if most is None else [round(number * most / (2 ** min(depth, 8) - 1)) for number in numbers]


def _icc_profile(head: bytes) -> bytes | None:
    for name, start, end in boxes(head, 0, len(head)):
        if name == b"jp2h":
            colours = (body for body in boxes(head, start, end) if body[0] == b"colr")
            profiles = (head[at + 3 : stop] for _, at, stop in colours if head[at] in ICC_METHODS)
            return next(profiles, None)
        if name == b"jp2c":
            break
    return None
