"""Compresses the rows of a PNG in sRGB again (W3C, PNG, third edition), and writes only the chunks they need."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Container, Iterator

from imgproc.pipeline.images.guards.cost import CpuTime

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
WHOLE = ((0, 0, 1, 1),)  # left, top, and the steps across and down
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SLICE = 65536
COLOURS = {b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB"}  # colours and transparency; each chunk at most once
PIXEL_COLOURS = {b"PLTE", b"tRNS"}  # The others only say that it is sRGB, or what counts less than a chunk that does.


class _NotKeepable(ValueError):
    """The file holds a chunk we do not know, or breaks a rule of its format."""


def keep_png(source: bytes, time: CpuTime) -> bytes | None:
    """The same rows and colours; None where the file breaks a rule of its format, or the `time` is used up."""
    try:
        return _rewrite(source, time)
    except (_NotKeepable, struct.error, LookupError, zlib.error):
        return None


def _require(truth: object) -> None:
    if not truth:
        raise _NotKeepable


def _rewrite(source: bytes, time: CpuTime) -> bytes:
    _require(source.startswith(SIGNATURE))
    header, colours, pixels = b"", dict[bytes, bytes](), bytearray()
    for kind, body in _chunks(source):
        if kind == b"IHDR":
            _require(not header and len(body) == 13 and body[9] in CHANNELS)
            header = body
        elif kind == b"IDAT":
            pixels += body
        elif kind in COLOURS:
            _require(header and kind not in colours and not pixels)
            colours[kind] = body
        else:
            _require(kind == b"IEND" or kind[0] & 0x20)  # Unknown chunks are dropped, unless they are critical.
    _require(header)
    if header[9] in {2, 6}:
        colours.pop(b"PLTE", None)  # In true colour a palette is only a suggestion.
    lengths = _allowed_lengths(header, len(colours.get(b"PLTE", b"")) // 3)
    _require(all(len(body) in lengths[kind] for kind, body in colours.items()))
    chunks = {
        b"IHDR": header,
        **{kind: body for kind, body in colours.items() if kind in PIXEL_COLOURS},
        b"IDAT": _compress(bytes(pixels), length=row_bytes(header), time=time),
        b"IEND": b"",
    }
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks.items())


def _chunks(source: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", source, position)
        body = source[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", source, position + 8 + length)
        _require(checksum == zlib.crc32(body, zlib.crc32(kind)))
        position += 12 + length
        yield kind, body


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _allowed_lengths(header: bytes, colours: int) -> dict[bytes, Container[int]]:
    """The lengths in bytes that each chunk of colours may have, with so many `colours` in the palette."""
    depth, colour = header[8], header[9]
    transparency: dict[int, Container[int]] = {0: (2,), 2: (6,), 3: range(1, colours + 1)}
    palette = range(3, 3 * 2**depth + 1, 3) if colour == 3 else ()
    plain: dict[bytes, Container[int]] = {b"gAMA": (4,), b"cHRM": (32,), b"sRGB": (1,)}
    return plain | {b"PLTE": palette, b"tRNS": transparency.get(colour, ())}


def _compress(pixels: bytes, *, length: int, time: CpuTime) -> bytes:
    """Inflate and deflate the rows. The stream must hold exactly `length` bytes, with nothing after it."""
    decoder, encoder, written, left = zlib.decompressobj(), zlib.compressobj(9), bytearray(), length
    for start in range(0, len(pixels), SLICE):
        piece = pixels[start : start + SLICE]
        while piece:
            raw = decoder.decompress(piece, SLICE * 2)
            left -= len(raw)
            _require(time.left > 0 and left >= 0 and not decoder.unused_data)
            written += encoder.compress(raw)
            piece = decoder.unconsumed_tail
    _require(decoder.eof and left == 0)
    return bytes(written + encoder.flush())


def row_bytes(header: bytes) -> int:
    """The number of bytes of all rows of all passes, each row with its filter byte."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    total = 0
    for left, top, step_x, step_y in ADAM7 if interlaced else WHOLE:
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        total += rows * (1 + (columns * depth * CHANNELS[colour] + 7) // 8) if min(columns, rows) > 0 else 0
    return total
