"""Reads the chunks of a PNG as leniently as Chromium (W3C, PNG, third edition), for a decoder that is strict.

A damaged, misplaced or unknown chunk that the pixels do not need is dropped, as are texts and colours. The colours are
read here, because Pillow reads few of them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
NEEDED = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}  # A decoder checks these itself.
COLOURS = {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cLLI", b"mDCV"}
PALETTE = 3  # a colour type
KEY_LENGTHS = {0: range(2, 257), 2: range(6, 257), PALETTE: range(1, 257)}  # of tRNS by colour type
LENGTHS = {b"acTL": range(8, 9), b"fcTL": range(26, 27), b"fdAT": range(4, 2**31)}
MAX_FRAMES = 2**31 - 1


class SmallFrame(Exception):
    """The first frame of an animation is smaller than its canvas.

    `body` is a PNG of the frame, `canvas` the size of the animation, and `left` and `top` are the frame's place in it.
    """

    def __init__(self, body: bytes, *, canvas: tuple[int, int], left: int, top: int) -> None:
        super().__init__(canvas, left, top)
        self.body, self.canvas, self.left, self.top = body, canvas, left, top


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # of its length
    end: int  # of its checksum


@dataclass
class PngChunks:
    """`body` is a PNG of the chunks that a decoder needs; `colours` are those about colours, `key` is that of tRNS.

    `frames` counts those of an animation that the body lacks, because a hidden still picture came first; 1 for others.
    """

    body: bytes
    colours: dict[bytes, bytes]
    key: bytes
    frames: int = 1


@dataclass
class _Found:
    """What was found so far."""

    kept: list[_Chunk] = field(default_factory=list)
    colours: dict[bytes, bytes] = field(default_factory=dict)
    kinds: set[bytes] = field(default_factory=set)
    key: bytes = b""
    is_hidden: bool = False  # An animation starts after the still picture.


def read_chunks(source: bytes) -> PngChunks:
    """Sort the chunks of a PNG; the body is `source` itself where nothing was dropped.

    Raises:
        SmallFrame: the file is an animation whose first frame does not fill it.
    """
    found = _Found()
    for chunk in _chunks(source):
        _sort(source, chunk, found)
    kinds = found.kinds
    if found.is_hidden and b"acTL" in kinds and (frame := _first_frame(source, found)):
        return PngChunks(frame, found.colours, found.key, frames=2)
    if ANIMATION & kinds and (found.is_hidden or b"acTL" not in kinds):
        found.kept = [chunk for chunk in found.kept if chunk.kind not in ANIMATION]
    body = source if _is_all(found.kept) else _join(source, found.kept)
    return PngChunks(body, found.colours, found.key)


def _chunks(source: bytes) -> Iterator[_Chunk]:
    """All chunks up to the end, or up to what is no chunk; the last one may be cut."""
    position, kind = len(SIGNATURE), b""
    while position + 8 <= len(source) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", source, position)
        end = position + 12 + length
        if end > len(source) and kind not in NEEDED | ANIMATION:
            return
        if not kind.isalpha() and not _is_whole(source, _Chunk(kind, position, end)):
            return
        yield _Chunk(kind, position, min(end, len(source)))
        position = end


def _sort(source: bytes, chunk: _Chunk, found: _Found) -> None:
    kind, is_first = chunk.kind, chunk.kind not in found.kinds
    if kind in NEEDED:
        found.kinds.add(kind)
        if is_first or kind == b"IDAT":
            found.kept.append(chunk)
        return
    if kind in ANIMATION and _is_of_animation(source, chunk, found.kinds):
        found.is_hidden |= kind == b"fcTL" and is_first and b"IDAT" in found.kinds
        found.kept.append(chunk)
        found.kinds.add(kind)
    if kind not in COLOURS | {b"tRNS", b"eXIf"} or not is_first or b"IDAT" in found.kinds:
        return
    if not _is_whole(source, chunk):
        return
    content = source[chunk.start + 8 : chunk.end - 4]
    if kind in COLOURS:
        if kind not in {b"cICP", b"mDCV", b"cLLI"} or b"PLTE" not in found.kinds:
            found.colours[kind] = content
    elif kind == b"eXIf":
        if not content.startswith(b"Exif"):  # The header of a JPEG's Exif, with which browsers do not read it.
            found.kept.append(chunk)
    elif _fits(source, len(content), found.kinds):
        found.kept.append(chunk)
        found.key = content
    found.kinds.add(kind)


def _is_of_animation(source: bytes, chunk: _Chunk, kinds: set[bytes]) -> bool:
    """Whether the chunk of an animation counts. Pixels have a checksum of their own; later frames are not shown."""
    if chunk.end - chunk.start - 12 not in LENGTHS[chunk.kind]:
        return False
    if chunk.kind == b"fdAT" or (chunk.kind == b"fcTL" and b"fdAT" in kinds):
        return True
    is_in_range = 0 < int.from_bytes(source[chunk.start + 8 : chunk.start + 12], "big") <= MAX_FRAMES
    return _is_whole(source, chunk) and (chunk.kind == b"fcTL" or (is_in_range and b"IDAT" not in kinds))


def _is_whole(source: bytes, chunk: _Chunk) -> bool:
    checksum = zlib.crc32(memoryview(source)[chunk.start + 4 : chunk.end - 4])
    return checksum.to_bytes(4, "big") == source[chunk.end - 4 : chunk.end]


def _fits(source: bytes, length: int, kinds: set[bytes]) -> bool:
    """Whether a tRNS of this length may be where it is."""
    colour = source[25]
    return length in KEY_LENGTHS.get(colour, ()) and (colour != PALETTE or b"PLTE" in kinds)


def _join(source: bytes, kept: list[_Chunk]) -> bytes:
    parts = (source[chunk.start : chunk.end] for chunk in kept)
    return b"".join([SIGNATURE, *parts])


def _is_all(kept: list[_Chunk]) -> bool:
    """Whether no chunk is missing before the last one."""
    starts = [len(SIGNATURE), *(chunk.end for chunk in kept)]
    return all(chunk.start == start for chunk, start in zip(kept, starts, strict=False))


def _first_frame(source: bytes, found: _Found) -> bytes | None:
    """A PNG of the first frame that has pixels, for browsers do not show the still picture before it.

    None where its chunks are out of order. The still picture is shown then, as the standard says.

    Raises:
        SmallFrame: the frame does not fill the picture.
    """
    parts = [chunk for chunk in found.kept if chunk.kind in ANIMATION - {b"acTL"}]
    first = next((number for number, chunk in enumerate(parts) if chunk.kind == b"fdAT"), 0)
    after = next((number for number, chunk in enumerate(parts) if number > first and chunk.kind == b"fcTL"), len(parts))
    numbers = [int.from_bytes(source[chunk.start + 8 : chunk.start + 12], "big") for chunk in parts[:after]]
    if not first or numbers != list(range(after)):
        return None
    control = parts[first - 1].start + 8
    width, height, left, top = struct.unpack_from(">4I", source, control + 4)
    canvas = struct.unpack_from(">2I", source, 16)
    if not (0 < width <= canvas[0] - left and 0 < height <= canvas[1] - top):
        return None
    data = b"".join(source[chunk.start + 12 : chunk.end - 4] for chunk in parts[first:after])
    pixels = write_chunk(b"IDAT", data) + write_chunk(b"IEND", b"")
    head = [chunk for chunk in found.kept if chunk.kind not in ANIMATION | {b"IDAT", b"IEND"}]
    if (width, height) == canvas:
        return _join(source, head) + pixels
    header = SIGNATURE + write_chunk(b"IHDR", source[control + 4 : control + 12] + source[24:29])
    colours = b"".join(write_chunk(kind, content) for kind, content in found.colours.items())
    others = b"".join(source[chunk.start : chunk.end] for chunk in head if chunk.kind != b"IHDR")
    raise SmallFrame(header + colours + others + pixels, canvas=canvas, left=left, top=top)


def write_chunk(kind: bytes, content: bytes | bytearray) -> bytes:
    """A chunk with its length and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">I4s", len(content), kind), content, struct.pack(">I", checksum)])
