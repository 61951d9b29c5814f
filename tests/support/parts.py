"""Cases of a slow test in parts, so that several processes of xdist may each take some."""

from __future__ import annotations

import zlib

PARTS = 4


def part_of(name: str) -> int:
    """The number of the part of a case, which is the same in every process."""
    return zlib.crc32(name.encode()) % PARTS
