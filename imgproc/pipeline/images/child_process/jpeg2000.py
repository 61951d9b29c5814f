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
    """Gives the ICC profile in `info`, as other formats do."""

    fp: Any

    def _open(self) -> None:
        super()._open()
        self.fp.seek(0)
        head = self.fp.read(MAX_HEADER_BYTES)
        if profile := _icc_profile(head):
            self.info["icc_profile"] = profile
        self.tile_pixels = _tile_pixels(head)


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


def _icc_profile(head: bytes) -> bytes | None:
    for name, start, end in boxes(head, 0, len(head)):
        if name == b"jp2h":
            colours = (body for body in boxes(head, start, end) if body[0] == b"colr")
            profiles = (head[at + 3 : stop] for _, at, stop in colours if head[at] in ICC_METHODS)
            return next(profiles, None)
        if name == b"jp2c":
            break
    return None
