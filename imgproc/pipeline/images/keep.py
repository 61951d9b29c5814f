"""Encodes a source's own pixels again without loss, so that the output has no metadata or other data of the file.

The caller has decoded the whole source, and found it upright, in sRGB, and of one frame.
"""

from __future__ import annotations

from collections.abc import Callable

from imgproc.pipeline.images.guards.cost import CpuTime
from imgproc.pipeline.images.guards.faults import FAULTS
from imgproc.pipeline.images.lossless.jpeg import keep_jpeg
from imgproc.pipeline.images.lossless.png import keep_png
from imgproc.pipeline.images.lossless.webp import keep_webp

MAX_PIXELS = 16 * 1024 * 1024  # A JPEG's coefficients may take six bytes a pixel, beside the worker's own memory.
WORTH_TRYING = 1.5  # times `below`: a larger source is not tried, because it almost never gets below (ADR 20)
KEEPERS: dict[str, Callable[[bytes, CpuTime], bytes | None]] = {"jpeg": keep_jpeg, "png": keep_png, "webp": keep_webp}


def keep(source: bytes, *, source_format: str, pixels: int, below: int, time: CpuTime) -> bytes | None:
    """The picture of `source` in fewer than `below` bytes.

    None where it takes more bytes, or more `time` than is left, and for formats that are not kept.
    """
    if source_format not in KEEPERS or pixels > MAX_PIXELS or len(source) >= WORTH_TRYING * below:
        return None
    try:
        kept = KEEPERS[source_format](source, time)
    except FAULTS:  # The rendition exists already.
        return None
    return kept if kept is not None and len(kept) < below else None
