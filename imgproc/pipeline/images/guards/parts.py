"""Refuses files of too many parts, before a decoder reads them.

Pillow reads the parts of a file in Python and keeps them; libavif searches all items for each item. A crafted file of a
few megabytes takes gigabytes or holds the GIL for hours. Every check here is one pass over the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.avif.avif_boxes import has_long_tables

MAX_PARTS = 2000  # segments of a JPEG: profiles have up to 255, extended XMP a few hundred, progressive ones ten scans
MAX_SCANS = 100  # Encoders write about ten. Each costs a pass over all blocks, even if it has few bytes.
MAX_EXIFS = 16  # segments with Exif; Pillow joins them one by one
MAX_CHUNKS = 50_000  # of a PNG or WebP; libpng writes 8 KiB of pixels a chunk, so 50 MiB have 6,400
MAX_BLOCKS = 20_000  # of a GIF before its first picture, of at most 255 bytes each
MAX_JUNK = 64 * 1024  # bytes between the segments of a JPEG

# JPEG markers (ITU-T T.81, table B.1), except stuffed zeros, restarts and padding. A marker may follow any number of
# padding bytes. The pattern takes only the last one: `\xff+` would try every start of a long padding.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_UNREAD = {
    **dict.fromkeys((0xC3, 0xCB), "a lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG"),
    0xF7: "a JPEG-LS picture",
}
_SEQUENTIAL, _SOS, _BARE = {0xC0, 0xC1, 0xC9}, 0xDA, {0x01, 0xD8, 0xD9}


def check_parts(source: bytes, source_format: str) -> None:
    """Refuse a file of more parts than any encoder writes; call it before Pillow opens the file.

    Raises:
        CompressError: `unsupported_format`.
    """
    if source_format in _COUNT_PARTS:
        _COUNT_PARTS[source_format](source)


def unusual(name: str, what: str) -> CompressError:
    """The error of a file that has more parts, or larger tables, than encoders write."""
    return CompressError(f"The {name} has {what}; export it again in the usual way.", code="unsupported_format")


def _check_segments(source: bytes) -> None:
    """Count the segments of a JPEG up to its first scan, and the scans, unless the first holds the whole picture."""
    position, parts, junk, exifs, components = 2, 0, 0, 0, b""
    while marker := _MARKER.search(source, position):
        start, kind = marker.end(), source[marker.start(1)]
        parts += 1
        exifs += source.startswith(b"Exif", start + 2)
        junk += start - 2 - position
        if parts > MAX_PARTS or exifs > MAX_EXIFS or junk > MAX_JUNK:
            raise unusual("JPEG", "too many segments")
        if kind in _FRAMES:
            _refuse_rare(kind, source[start + 2 : start + 3])
        if kind in _SEQUENTIAL:
            components = source[start + 7 : start + 8]
        if kind == _SOS:
            if components != source[start + 2 : start + 3] and source.count(b"\xff\xda", start) >= MAX_SCANS:
                raise unusual("JPEG", "too many scans")
            return
        position = start + (0 if kind in _BARE else int.from_bytes(source[start : start + 2], "big"))
    if len(source) - position > MAX_JUNK:  # Pillow searches for a marker byte by byte.
        raise unusual("JPEG", "too many bytes before its picture")


def _refuse_rare(kind: int, bits: bytes) -> None:
    """Refuse frames that no browser shows, by their marker and bits a sample."""
    rare = _UNREAD.get(kind) or (None if bits in {b"", b"\x08"} else f"a JPEG of {bits[0]} bits")
    if rare:
        detail = f"This is {rare}; export it as an ordinary JPEG, in Photoshop by File › Export › Export As."
        raise CompressError(detail, code="unsupported_format")


def _check_chunks(source: bytes, *, first: int, around: int, order: Literal["big", "little"], name: str) -> None:
    """Count chunks from `first` on; each has `around` bytes beside its body, and its length in the byte `order`."""
    position, chunks = first, 0
    at = 0 if order == "big" else 4  # The length comes before the chunk's name in a PNG, and after it in a WebP.
    while position < len(source):
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise unusual(name, "too many chunks")
        length = int.from_bytes(source[position + at : position + at + 4], order)
        position += around + length + (length % 2 if order == "little" else 0)


def _check_blocks(source: bytes) -> None:
    """Count the blocks of a GIF's extensions before its first picture (GIF89a, 24 to 26); an empty one ends each."""
    flags = source[10] if len(source) > 10 else 0
    position, inside = 13 + (3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0), False
    for _ in range(MAX_BLOCKS):
        if position >= len(source) or (not inside and source[position] in b",;"):
            return
        if inside:
            inside = source[position] > 0
            position += 1 + source[position]
        else:  # Pillow skips what is neither an extension nor a picture.
            inside = source[position] == ord("!")
            position += 1 + inside
    raise unusual("GIF", "too many blocks")


def _check_boxes(source: bytes) -> None:
    if has_long_tables(source):
        raise unusual("AVIF", "too many parts")


_COUNT_PARTS: dict[str, Callable[[bytes], None]] = {
    "jpeg": _check_segments,
    "png": lambda source: _check_chunks(source, first=8, around=12, order="big", name="PNG"),
    "webp": lambda source: _check_chunks(source, first=12, around=8, order="little", name="WebP"),
    "gif": _check_blocks,
    "avif": _check_boxes,
}
