"""The boxes of an AVIF file (ISO/IEC 14496-12, 4.2). Each has a length, a four-letter name, and content."""

from __future__ import annotations

from collections.abc import Iterator

MAX_TABLE_BYTES = 48 * 1024  # of item tables; a grid of 256 tiles with transparency takes half. libavif is quadratic.
MAX_SAMPLES_BYTES = 256 * 1024  # of frame tables: 64,000 frames
MAX_BOXES = 20_000  # over all levels
TABLES = {b"iloc", b"iinf", b"iref", b"ipma", b"grpl"}
SAMPLES = {b"stts", b"stsc", b"stsz", b"stz2", b"stco", b"co64", b"stss", b"ctts", b"sbgp", b"sgpd", b"elst", b"sdtp"}
# The boxes that contain boxes, and how many bytes of their content come before the first one.
CONTAINERS = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"moov": 0,
    b"trak": 0,
    b"edts": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
    b"dinf": 0,
    b"tref": 0,
}


def boxes(source: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The name of each box from `start` to `end`, and where its content starts and ends, as the file says."""
    while start + 8 <= end:
        size, name, header = int.from_bytes(source[start : start + 4], "big"), source[start + 4 : start + 8], 8
        if size == 1:
            size, header = int.from_bytes(source[start + 8 : start + 16], "big"), 16
        stop = end if size == 0 else min(end, start + max(size, header))
        yield name, start + header, stop
        start = stop


def has_long_tables(source: bytes) -> bool:
    """Whether the file has more boxes, or longer tables of items or frames, than any encoder writes.

    The lengths of all tables of a kind are added up, because a file may hold several.
    """
    levels = [boxes(source, 0, len(source))]
    count = tables = samples = 0
    while levels:
        for name, start, end in levels[-1]:
            count += 1
            tables += end - start if name in TABLES else 0
            samples += end - start if name in SAMPLES else 0
            if count > MAX_BOXES or tables > MAX_TABLE_BYTES or samples > MAX_SAMPLES_BYTES:
                return True
            if name in CONTAINERS:
                levels.append(boxes(source, start + CONTAINERS[name], end))
                break
        else:
            levels.pop()
    return False
