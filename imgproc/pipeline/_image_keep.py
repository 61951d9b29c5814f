"""A source's own pixels as a file of their own: rewritten without a loss, and without anything but the picture.

Nothing is copied that is not named here and of a length that its kind allows: no comments, no Exif, no XMP, no
thumbnails, no profiles, nothing behind the end. What stays is what decoders need, so whoever asks has decoded the
source in full before, found it upright and in sRGB, and of one frame.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
JFIF = b"JFIF\0\1\2\0\0\1\0\1\0\0"  # version 1.2, square pixels, no thumbnail
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SLICE = 65536


class _Unkeepable(ValueError):
    """The file holds what we do not know, or does not keep to its format."""


def keep(source: bytes, *, source_format: str) -> bytes | None:
    """The file with its picture alone; None where its format or its structure is not one that we rewrite."""
    try:
        return REWRITERS[source_format](source) if source_format in REWRITERS else None
    except (_Unkeepable, struct.error, LookupError, zlib.error):
        return None


def _require(truth: object) -> None:
    if not truth:
        raise _Unkeepable


# JPEG (ITU-T T.81, annex B)

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # neither a stuffed byte nor a restart
_APPS_AND_COMMENT = {*range(0xE0, 0xF0), 0xFE}
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; all of Huffman codes


def _jpeg(source: bytes) -> bytes:
    out = bytearray(b"\xff\xd8")
    frames, position = 0, 2
    while True:
        _require(source[position] == 0xFF)
        marker = source[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0xD9:
            _require(frames == 1)
            return bytes(out + b"\xff\xd9")
        (length,) = struct.unpack_from(">H", source, position + 2)
        body = source[position + 4 : position + 2 + length]
        _require(length >= 2 and len(body) == length - 2)
        position += 2 + length
        if (kept := _jpeg_segment(marker, body)) is not None:
            out += struct.pack(">BBH", 0xFF, marker, len(kept) + 2) + kept
        frames += marker in _FRAMES
        if marker == 0xDA:
            end = _end_of_scan(source, position)
            out += source[position:end]
            position = end


def _end_of_scan(source: bytes, start: int) -> int:
    marker = _NEXT_MARKER.search(source, start)
    if marker is None:
        raise _Unkeepable
    return marker.start()


def _jpeg_segment(marker: int, body: bytes) -> bytes | None:
    """The segment as it is kept, or None to drop it."""
    if marker == 0xE0 and body.startswith(b"JFIF\0"):
        return JFIF
    if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        return b"Adobe\0\x64\0\0\0\0" + body[11:12]  # The last byte says what the channels are.
    if marker in _APPS_AND_COMMENT:
        return None
    _require(marker in JPEG_LENGTHS and JPEG_LENGTHS[marker](body) == len(body))
    return body


def _tables(body: bytes, length: Callable[[bytes, int], int]) -> int:
    """Where the last of several tables ends, each of which says how long it is."""
    position = 0
    while position < len(body):
        position += length(body, position)
    return position


JPEG_LENGTHS: dict[int, Callable[[bytes], int]] = {
    **dict.fromkeys(_FRAMES, lambda body: 6 + 3 * body[5]),
    0xC4: lambda body: _tables(body, lambda tables, at: 17 + sum(tables[at + 1 : at + 17])),
    0xDA: lambda body: 4 + 2 * body[0],
    0xDB: lambda body: _tables(body, lambda tables, at: 129 if tables[at] >> 4 else 65),
    0xDD: lambda _: 2,
}


# PNG (W3C, third edition)


def _png(source: bytes) -> bytes:
    _require(source.startswith(SIGNATURE))
    header, before, pixels = b"", bytearray(), bytearray()
    for kind, body in _png_chunks(source):
        if kind == b"IHDR":
            _require(not header and len(body) == 13 and body[9] in CHANNELS)
            header = body
        elif kind == b"IDAT":
            pixels += body
        elif kind in PNG_LENGTHS:
            _require(len(body) in PNG_LENGTHS[kind] and not pixels)
            before += _png_chunk(kind, body)
        else:
            _require(kind == b"IEND" or kind[0] & 0x20)  # Unknown chunks are dropped, unless they are critical.
    _require(header)
    _check_pixels(header, bytes(pixels))
    chunks = _png_chunk(b"IHDR", header) + before + _png_chunk(b"IDAT", bytes(pixels)) + _png_chunk(b"IEND", b"")
    return SIGNATURE + chunks


def _png_chunks(source: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", source, position)
        body = source[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", source, position + 8 + length)
        _require(checksum == zlib.crc32(body, zlib.crc32(kind)))
        position += 12 + length
        yield kind, body


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


# Colours and transparency; the lengths in bytes they may have.
PNG_LENGTHS = {b"PLTE": range(3, 769, 3), b"tRNS": range(1, 257), b"gAMA": (4,), b"cHRM": (32,), b"sRGB": (1,)}


def _check_pixels(header: bytes, pixels: bytes) -> None:
    """Require that the compressed stream ends with the last row of the picture, and the data with the stream."""
    stream, left = zlib.decompressobj(), _row_bytes(header)
    for start in range(0, len(pixels), SLICE):
        piece = pixels[start : start + SLICE]
        while piece:
            left -= len(stream.decompress(piece, SLICE * 16))
            _require(left >= 0 and not stream.unused_data)
            piece = stream.unconsumed_tail
    _require(stream.eof and left == 0)


def _row_bytes(header: bytes) -> int:
    """Bytes of all rows, each with its filter's byte, of all passes."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    total = 0
    for left, top, step_x, step_y in PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        total += rows * (1 + (columns * depth * CHANNELS[colour] + 7) // 8) if min(columns, rows) > 0 else 0
    return total


# WebP (RFC 9649)


def _webp(source: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", source, 4)
    _require(source[:4] == b"RIFF" and source[8:12] == b"WEBP" and 8 + size <= len(source))
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= 8 + size:
        kind, length = struct.unpack_from("<4sI", source, position)
        body = source[position + 8 : position + 8 + length]
        _require(len(body) == length and kind not in {b"ANIM", b"ANMF"})
        chunks.setdefault(kind, body)
        position += 8 + length + length % 2
    return _webp_file(chunks)


def _webp_file(chunks: dict[bytes, bytes]) -> bytes:
    """The simplest file that holds the picture: an extended one only where transparency stands apart."""
    parts = [(kind, body) for kind, body in chunks.items() if kind in {b"VP8 ", b"VP8L"}]
    _require(len(parts) == 1)
    if b"ALPH" in chunks and b"VP8 " in chunks:
        _require(len(chunks[b"VP8X"]) == 10)
        parts = [(b"VP8X", b"\x10\0\0\0" + chunks[b"VP8X"][4:]), (b"ALPH", chunks[b"ALPH"]), *parts]
    written = (kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in parts)
    file = b"WEBP" + b"".join(written)
    return b"RIFF" + struct.pack("<I", len(file)) + file


REWRITERS: dict[str, Callable[[bytes], bytes]] = {"jpeg": _jpeg, "png": _png, "webp": _webp}
