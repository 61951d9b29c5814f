"""A picture as a file: the four formats we write, and the settings that are worth their time."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import IO, Any

from PIL import Image

from imgproc.errors import CompressError

# These give nearly the bytes of the slower defaults at a fraction of their time. JPEGs get no Huffman tables of their
# own, which save 2% of a photograph (12% of a small product on white) and take a fifth more of the whole job. AVIF
# stays on one thread, as the cores are busy with other images.
ENCODERS: dict[str, dict[str, Any]] = {
    "jpeg": {},
    "webp": {"method": 2},
    "avif": {"speed": 8, "max_threads": 1},
    "png": {"compress_level": 4},
}


def encode(picture: Image.Image, *, target: str, quality: int, **effort: int) -> bytes:
    """Encode through a real descriptor, to which libjpeg writes without holding the GIL; `effort` overrides settings.

    Raises:
        CompressError: `encode_failed`, where the format cannot hold the picture.
    """
    picture.info.clear()  # Some encoders copy comments and profiles from here.
    try:
        with _scratch_file() as stream:
            picture.save(stream, format=target, quality=quality, **{**ENCODERS[target], **effort})
            stream.seek(0)
            return stream.read()
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        sides = f"{picture.width} x {picture.height} pixels"
        detail = f"A picture of {sides} cannot be encoded as {target}; try another format or a smaller scale."
        raise CompressError(detail, code="encode_failed") from error


def _scratch_file() -> IO[bytes]:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("rendition"), "w+b")
    return tempfile.TemporaryFile()
