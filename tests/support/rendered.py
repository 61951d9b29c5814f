"""What `compress` makes of a file, as numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import decode

WHOLE = CompressOptions(scale=1.0, format="png")


def on_white(source: bytes, *, is_apart: bool = False) -> npt.NDArray[np.float64]:
    """The picture at full size on white, as RGB from 0 to 255; with `is_apart`, no other process decodes it."""
    made = compress(source, options=WHOLE, max_pixels=10**6, is_apart=is_apart)
    picture = decode(made.body).convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return np.asarray(white, float)


def refused(source: bytes) -> CompressError:
    """The error in which a file ends."""
    try:
        compress(source, options=WHOLE, max_pixels=10**6)
    except CompressError as error:
        return error
    raise AssertionError("The file was made into a picture.")
