"""The segments of a JPEG before its first scan, and what Chromium takes from them: one Exif and one ICC profile.

Pillow joins all Exif segments, and takes a profile from segments before the frame header alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])(..)", re.DOTALL)  # and the length of what follows
SCAN, EXIF, PROFILE = 0xDA, 0xE1, 0xE2
EXIF_NAME, PROFILE_NAME = b"Exif\0", b"ICC_PROFILE\0"
PIECE_AT = 14  # where a piece starts in its segment, after its number and the count


class Segment(NamedTuple):
    """A segment by its marker, and by where it, its body and what follows start in the file."""

    kind: int
    start: int
    body: int
    end: int


def segments(source: bytes) -> Iterator[Segment]:
    """The segments between the start of the image and its first scan; bytes between them are skipped, as by libjpeg."""
    position = 2
    while found := MARKER.search(source, position):
        kind, length = found[1][0], int.from_bytes(found[2], "big")
        if kind == SCAN or length < 2:
            return
        position = found.end() + length - 2
        yield Segment(kind, found.start(), found.end(), position)


def metadata(source: bytes) -> dict[str, bytes]:
    """The Exif block and the ICC profile by their names in Pillow; empty where the JPEG has none."""
    # The byte after the name should be 0, and may be any.
    exifs = (part[len(EXIF_NAME) + 1 :] for part in _bodies(source, EXIF, EXIF_NAME))
    exif = next(filter(None, exifs), b"")
    return {"exif": b"Exif\0\0" + exif if exif else b"", "icc_profile": _profile(source)}


def _bodies(source: bytes, kind: int, name: bytes) -> Iterator[bytes]:
    """The bodies of the segments of a kind that begin with a name."""
    for segment in segments(source):
        if segment.kind == kind and source.startswith(name, segment.body):
            yield source[segment.body : segment.end]


def _profile(source: bytes) -> bytes:
    """The profile in numbered pieces (ICC.1:2022, B.4); empty if a piece is missing, doubled or counts otherwise.

    Nothing is read after the last piece.
    """
    pieces: dict[int, bytes] = {}
    counts = set()
    for body in _bodies(source, PROFILE, PROFILE_NAME):
        if len(body) < PIECE_AT:
            continue
        number, count = body[PIECE_AT - 2 : PIECE_AT]
        counts.add(count)
        if not 0 < number <= count or number in pieces or len(counts) > 1:
            return b""
        pieces[number] = body[PIECE_AT:]
        if len(pieces) == count:
            return b"".join(pieces[each] for each in sorted(pieces))
    return b""
