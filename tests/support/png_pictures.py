"""PNGs of any depth, colour type and chunks, which Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from tests.support.picture_bytes import png_chunk

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = png_chunk(b"IEND", b"")
WHOLE = ((0, 0, 1, 1),)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def rows_of(samples: Any, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """The rows of all passes, unfiltered; `samples` has the axes height, width and channel."""
    rows = bytearray()
    for left, top, across, down in ADAM7 if interlaced else WHOLE:
        for row in samples[top::down, left::across]:
            if row.size and depth == 16:
                rows += b"\0" + row.astype(">u2").tobytes()
            elif row.size:
                bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
                rows += b"\0" + np.packbits(bits).tobytes()
    return bytes(rows)


def header(width: int, height: int, *, depth: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """The signature and IHDR."""
    return SIGNATURE + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def png_of(samples: Any, *chunks: bytes, depth: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """A PNG of these samples, with `chunks` before its pixels."""
    pixels = zlib.compress(rows_of(samples, depth=depth, interlaced=interlaced))
    head = header(samples.shape[1], samples.shape[0], depth=depth, colour=colour, interlaced=interlaced)
    return b"".join([head, *chunks, png_chunk(b"IDAT", pixels), END])


def damaged(chunk: bytes) -> bytes:
    """The chunk with a wrong checksum."""
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


def gamma(encoding: float) -> bytes:
    """A gAMA chunk."""
    return png_chunk(b"gAMA", struct.pack(">I", round(encoding * 100_000)))


def chromaticities(*points: float) -> bytes:
    """A cHRM: x and y of white, red, green and blue."""
    return png_chunk(b"cHRM", struct.pack(">8I", *(round(point * 100_000) for point in points)))


def code_points(primaries: int, transfer: int, matrix: int = 0, full: int = 1) -> bytes:
    """A cICP."""
    return png_chunk(b"cICP", bytes([primaries, transfer, matrix, full]))


def light_levels(most: int) -> bytes:
    """A cLLI whose brightest pixel has so many nits."""
    return png_chunk(b"cLLI", struct.pack(">II", most * 10_000, 0))


def mastered(most: int) -> bytes:
    """An mDCV of a display of so many nits."""
    return png_chunk(b"mDCV", bytes(16) + struct.pack(">II", most * 10_000, 0))


def profile_chunk(profile: bytes) -> bytes:
    """An iCCP chunk."""
    return png_chunk(b"iCCP", b"a\0\0" + zlib.compress(profile))
