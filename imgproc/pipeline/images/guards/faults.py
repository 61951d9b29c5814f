"""The exceptions that Pillow and its libraries raise on hostile images, and the error that explains each."""

from __future__ import annotations

import re
import struct
import zlib

from PIL import Image, ImageCms

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.formats import INPUT_FORMATS, IS_WHOLE

# Found by fuzzing and in their source. Exception is not among them: RQ's job time-out is one and must pass.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    ImageCms.PyCMSError,
)


def explain(error: BaseException, source: bytes, source_format: str, image: Image.Image | None = None) -> CompressError:
    """The error of a source that could not be decoded, and of the `image` that its decoder has begun."""
    words = str(error).lower()
    name = INPUT_FORMATS[source_format].name
    if isinstance(error, MemoryError | Image.DecompressionBombError) or re.search(
        "out of memory|allocation error", words
    ):
        return CompressError("The picture needs more memory than allowed; give a smaller one.", code="too_many_pixels")
    if "truncat" in words or not IS_WHOLE[source_format](source):
        there = _share_there(image)
        what = f"about {there}% of the picture is there" if there else "part of the picture is missing"
        detail = f"The {name} file ends too early: {what}; replace it with the whole file."
        return CompressError(detail, code="truncated_image")
    if re.search("unsupported|not (yet )?supported|cannot handle|unknown pixel mode", words):
        detail = f"This variety of {name} is not supported; export it as an ordinary JPEG or PNG."
        return CompressError(detail, code="unsupported_format")
    return CompressError(f"The {name} file is damaged and cannot be decoded; export it again.", code="corrupt_image")


def _share_there(image: Image.Image | None) -> int | None:
    """The percentage of rows that the decoder wrote before its source ended; None where it cannot tell.

    Pillow's decoders write row by row into a picture of zeros.
    """
    if image is None or getattr(image, "_im", None) is None:
        return None
    box = image.im.getbbox()
    share = round(100 * (box[3] - box[1]) / image.im.size[1]) if box else 0
    return share if 0 < share < 100 else None
