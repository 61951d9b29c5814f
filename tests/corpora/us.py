"""What we make of a picture, or how we refuse it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.corpora.shown import Shown

OPTIONS = CompressOptions(scale=1.0, format="png")
MAX_PIXELS = 50_000_000


def show(body: bytes) -> Shown | CompressError:
    """Our rendition at full size without loss, or our refusal."""
    try:
        made = compress(body, options=OPTIONS, max_pixels=MAX_PIXELS)
    except CompressError as error:
        return error
    with Image.open(io.BytesIO(made.body)) as picture:
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        return Shown(np.asarray(white.convert("RGB")))
