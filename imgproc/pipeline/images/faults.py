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


def explain(error: BaseException, source: bytes, source_format: str) -> CompressError:
    """The error of a source that could not be decoded."""
    words = str(error).lower()
    name = INPUT_FORMATS[source_format].name
    if isinstance(error, MemoryError | Image.DecompressionBombError) or re.search(
        "out of memory|allocation error", words
    ):
        return CompressError("The picture needs more memory than allowed; give a smaller one.", code="too_many_pixels")
    if "truncat" in words or not IS_WHOLE[source_format](source):
        detail = f"The {name} file ends too early and part of the picture is missing; replace it with the whole file."
        return CompressError(detail, code="truncated_image")
    if re.search("unsupported|not (yet )?supported|cannot handle|unknown pixel mode", words):
        detail = f"This variety of {name} is not supported; export it as an ordinary JPEG or PNG."
        return CompressError(detail, code="unsupported_format")
    return CompressError(f"The {name} file is damaged and cannot be decoded; export it again.", code="corrupt_image")
