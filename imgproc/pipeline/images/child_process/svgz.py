"""Drawings in gzip (`.svgz`, RFC 1952) and in UTF-16."""

from __future__ import annotations

import re
import zlib

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.guards.parts import unusual

GZIP = b"\x1f\x8b\x08"  # with the only method that there is
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # byte order marks
GZIP_BITS = 31  # zlib's name for gzip
TRAILER = 8  # bytes of a checksum and a length
_DECLARED = re.compile(rb"^<\?xml[^>]*\?>")  # with the encoding
MAX_DRAWING = 32 * 1024 * 1024  # bytes; a drawing inflates to about five times its size


def head_of(source: bytes, size: int) -> bytes:
    """The first `size` bytes or fewer of what is in a gzip file, or of UTF-16 in UTF-8; none for other files."""
    if source.startswith(UTF_16):
        return source[:size].decode("utf-16", "replace").encode()
    if not source.startswith(GZIP):
        return b""
    try:
        return zlib.decompressobj(GZIP_BITS).decompress(source[:-TRAILER][:size], size)
    except zlib.error:
        return b""


def unpacked(source: bytes) -> bytes:
    """The drawing itself, not compressed and not in UTF-16; `source` where it is neither.

    Raises:
        CompressError: `unsupported_format` or `truncated_image`, where it is too large or ends too early.
        SyntaxError: it is damaged.
    """
    if source.startswith(UTF_16):
        return _DECLARED.sub(b"", source.decode("utf-16", "replace").encode(), 1)
    if not source.startswith(GZIP):
        return source
    inflate = zlib.decompressobj(GZIP_BITS)
    try:
        drawing = inflate.decompress(source, MAX_DRAWING)
    except zlib.error as error:
        raise SyntaxError("damaged gzip") from error
    if len(drawing) == MAX_DRAWING:
        raise unusual("compressed SVG", f"more than {MAX_DRAWING // 1024**2} MiB when it is unpacked")
    if not inflate.eof:
        detail = "The compressed SVG ends too early: part of the picture is missing; replace it with the whole file."
        raise CompressError(detail, code="truncated_image")
    return drawing
