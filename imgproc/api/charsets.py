"""The character encoding that a client names in a Content-Type, for files that do not tell their own."""

from __future__ import annotations

from typing import BinaryIO

from imgproc.api.file_values import codec_of
from imgproc.core.errors import ImgprocError, InvalidCsv
from imgproc.pipeline.table.encodings import find_encoding
from imgproc.pipeline.table.notes import Notes

MAX_BYTES = 1024 * 1024  # A larger file has letters enough to tell its encoding.


def encoding_by_charset(stream: BinaryIO, *, charset: str | None, size: int) -> str | None:
    """The codec of `charset` if the bytes of the file leave a choice of encodings, else None.

    Many clients name a charset that their users never chose, so the bytes of the file count first.
    """
    codec = codec_of(charset) if charset and size <= MAX_BYTES else None
    if codec is None:
        return None
    try:
        find_encoding(stream, choice=None, notes=Notes())
    except InvalidCsv as error:
        return codec if any(each.code == "encoding_unclear" for each in error.errors) else None
    except ImgprocError:
        return None  # Whoever reads the file says why it is refused.
    return None
