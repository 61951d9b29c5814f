"""How many of a PNG's pixels are there, and the mending of one whose pixels are all there."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.lossless.png import row_bytes
from imgproc.pipeline.images.png.png_chunks import SIGNATURE, write_chunk

SLICE, ROWS = 65536, 16384  # bytes to take and to give at a time; what comes before damage counts by so many


class _Stream(NamedTuple):
    """The compressed pixels: how many bytes they inflate to, their checksum, and where they end; 0 where damaged."""

    inflated: int
    checksum: int
    end: int


def check_rows(body: bytes) -> None:
    """Refuse a PNG, as `read_chunks` returns it, of which pixels are missing.

    Raises:
        CompressError: `truncated_image`; the detail says how much is there.
    """
    head, packed = _split(body)
    _check(_inflate(packed, row_bytes(_header(head))), row_bytes(_header(head)))


def mend(body: bytes) -> bytes:
    """The PNG with the checksum of its pixels put right, which may be wrong or missing.

    Raises:
        CompressError: `truncated_image`, where pixels are missing.
        SyntaxError: a chunk's checksum is wrong, too, so pixels may be.
    """
    head, packed = _split(body)
    stream = _inflate(packed, row_bytes(_header(head)))
    _check(stream, row_bytes(_header(head)))
    if not _is_sound(body):
        raise SyntaxError("wrong checksums")
    packed[stream.end :] = struct.pack(">I", stream.checksum)
    return b"".join([head, write_chunk(b"IDAT", packed), write_chunk(b"IEND", b"")])


def _check(stream: _Stream, needed: int) -> None:
    if stream.inflated < needed:
        fault = "ends too early" if stream.end else "is damaged"
        share = f"only {100 * stream.inflated // needed}% of the picture is there"
        detail = f"The PNG file {fault} and {share}; replace it with the whole file."
        raise CompressError(detail, code="truncated_image")


def _header(head: bytes) -> bytes:
    return head[16:29]


def _split(body: bytes) -> tuple[bytes, bytearray]:
    """All before the pixels, and the compressed pixels."""
    position, head, packed = len(SIGNATURE), 0, bytearray()
    while position + 8 <= len(body):
        length, kind = struct.unpack_from(">I4s", body, position)
        if kind == b"IDAT":
            head = head or position
            packed += body[position + 8 : position + 8 + length]
        elif head:
            break
        position += 12 + length
    return body[: head or position], packed


def _is_sound(body: bytes) -> bool:
    """Whether all chunks that are not cut have the right checksum."""
    position = len(SIGNATURE)
    while position + 8 <= len(body):
        end = position + 12 + int.from_bytes(body[position : position + 4], "big")
        if end <= len(body) and zlib.crc32(body[position + 4 : end - 4]).to_bytes(4, "big") != body[end - 4 : end]:
            return False
        position = end
    return True


def _inflate(packed: bytearray, most: int) -> _Stream:
    """Inflate at most `most` bytes, and all of the stream that is undamaged; its checksum is not looked at."""
    decoder, inflated, checksum = zlib.decompressobj(-zlib.MAX_WBITS), 0, 1
    for start in range(2, len(packed), SLICE):
        left = bytes(packed[start : start + SLICE])
        while left and not decoder.eof and inflated < most:
            try:
                rows = decoder.decompress(left, ROWS)
            except zlib.error:
                return _Stream(inflated, checksum, 0)
            inflated, checksum = inflated + len(rows), zlib.adler32(rows, checksum)
            left = decoder.unconsumed_tail
        if decoder.eof or inflated >= most:
            return _Stream(inflated, checksum, min(start + SLICE, len(packed)) - len(decoder.unused_data))
    return _Stream(inflated, checksum, len(packed))
