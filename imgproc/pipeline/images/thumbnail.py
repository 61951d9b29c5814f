"""Source bytes in, a small JPEG out, within the limits that renditions have."""

from __future__ import annotations

import io

from imgproc.pipeline.images.compress import Rendition, compress
from imgproc.pipeline.images.formats import identify
from imgproc.pipeline.images.guards.faults import FAULTS, explain
from imgproc.pipeline.images.guards.memory import MemoryBudget
from imgproc.pipeline.images.guards.parts import check_parts
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.images.readers import open_image, silence_pillow

QUALITY = 70


def thumbnail(source: bytes, *, side: int, max_pixels: int, memory: MemoryBudget | None = None) -> Rendition:
    """A JPEG of `source` whose longer side has at most `side` pixels.

    Raises:
        CompressError: as `compress` does.
    """
    silence_pillow()
    source_format = identify(source)
    try:
        check_parts(source, source_format)
        size = open_image(io.BytesIO(source), source_format).size  # the headers alone
    except FAULTS as error:
        raise explain(error, source, source_format) from error
    options = CompressOptions(quality=QUALITY, scale=min(1.0, side / max(size)), format="jpeg")
    return compress(source, options=options, max_pixels=max_pixels, memory=memory)
