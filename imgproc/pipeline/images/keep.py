"""A source's own pixels as a file of their own: encoded anew without a loss, so that nothing but the picture is in it.

Whoever asks has decoded the source in full before, and found it upright, in sRGB, and of one frame.
"""

from __future__ import annotations

from collections.abc import Callable

from imgproc.pipeline.images.cost import CpuTime
from imgproc.pipeline.images.faults import FAULTS
from imgproc.pipeline.images.lossless.jpeg import keep_jpeg
from imgproc.pipeline.images.lossless.png import keep_png
from imgproc.pipeline.images.lossless.webp import keep_webp

MOST_PIXELS = 16 * 1024 * 1024  # Of a JPEG's coefficients each may take six bytes, beside the worker's own.
WORTH = 2  # Without a loss a picture gets smaller by tenths, never by half; what is more is not the picture.
KEEPERS: dict[str, Callable[[bytes, CpuTime], bytes | None]] = {"jpeg": keep_jpeg, "png": keep_png, "webp": keep_webp}


def keep(source: bytes, *, source_format: str, pixels: int, below: int, time: CpuTime) -> bytes | None:
    """The picture of `source` in fewer than `below` bytes; None where that cannot be, or not for this kind of file.

    None also where it takes more than the `time` that is left.
    """
    if source_format not in KEEPERS or pixels > MOST_PIXELS or len(source) >= WORTH * below:
        return None
    try:
        kept = KEEPERS[source_format](source, time)
    except FAULTS:  # The rendition is there.
        return None
    return kept if kept is not None and len(kept) < below else None
