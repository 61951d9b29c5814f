"""The segments of a JPEG before its first scan, and what Chromium takes from them: one Exif and one ICC profile.

Pillow joins all Exif segments, and takes a profile from segments before the frame header alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MARKER = re.compile(rb"\xff+([\xc0-\xcf\xd8-\xfe])(..)", re.DOTALL)  # and the length of what follows
IMAGE, SCAN, EXIF, PROFILE = 0xD8, 0xDA, 0xE1, 0xE2
EXIF_NAME, PROFILE_NAME = b"Exif\0", b"ICC_PROFILE\0"


class Segment(NamedTuple):
    """A segment: its marker, what follows the length, and where it starts and ends in the file."""

    kind: int
    body: bytes
    start: int
    end: int


def segments(source: bytes) -> Iterator[Segment]:
    """The segments between the start of the image and its first scan; bytes between them are skipped, as by libjpeg."""
    position = 2
    while found := MARKER.search(source, position):
        kind, length = found[1][0], int.from_bytes(found[2], "big")
        if kind == SCAN or length < 2:
            return
        position = found.end() + length - 2
        yield Segment(kind, source[found.end() : position], found.start(), position)


def metadata(source: bytes) -> dict[str, bytes]:
    """The Exif block and the ICC profile by their names in Pillow; empty where the JPEG has none."""
    found = list(segments(source))
    # The byte after the name should be 0, and may be any.
    exifs = (each.body[6:] for each in found if each.kind == EXIF and each.body.startswith(EXIF_NAME))
    exif = next(filter(None, exifs), b"")
    return {"exif": b"Exif\0\0" + exif if exif else b"", "icc_profile": _profile(found)}


def _profile(found: list[Segment]) -> bytes:
    """The profile in numbered pieces (ICC.1:2022, B.4); empty if a piece is missing, doubled or counts otherwise.

    Nothing is read after the last piece.
    """
    pieces: dict[int, bytes] = {}
    counts = set()
    for segment in found:
        if segment.kind != PROFILE or not segment.body.startswith(PROFILE_NAME) or len(segment.body) < 14:
            continue
        number, count = segment.body[12:14]
        counts.add(count)
        if not 0 < number <= count or number in pieces or len(counts) > 1:
            return b""
        pieces[number] = segment.body[14:]
        if len(pieces) == count:
            return b"".join(pieces[each] for each in sorted(pieces))
    return b""
