"""Which Exif and which ICC profile of a file count. The expected values are what Chromium shows."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from tests.support import profiles
from tests.support.photographs import encode
from tests.support.picture_bytes import png_chunk
from tests.support.rendered import on_white

BROWN = (200, 100, 50)
JPEG, PNG = (encode(Image.new("RGB", (16, 8), BROWN), name) for name in ("JPEG", "PNG"))
EXIF, PROFILE = 0xE1, 0xE2
SHORT, LONG, FOREIGN = 3, 4, 0x10F


def tag(value: int, *, number: int = 0x112, kind: int = SHORT, count: int = 1) -> bytes:
    """A tag whose value is in place."""
    return struct.pack("<HHIHH", number, kind, count, value, 0)


def block(*tags: bytes, count: int | None = None, at: int = 8, end: bytes = bytes(4)) -> bytes:
    """Exif of one table, which may claim another number of tags."""
    head = b"II*\0" + struct.pack("<I", at).ljust(at - 4, b"\0")
    return head + struct.pack("<H", len(tags) if count is None else count) + b"".join(tags) + end


def jpeg(*bodies: bytes, marker: int = EXIF, after_frame: bool = False) -> bytes:
    """A JPEG with these segments after the first one, or before its scan."""
    place = JPEG.index(b"\xff\xda") if after_frame else 20
    found = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for body in bodies)
    return JPEG[:place] + found + JPEG[place:]


SIX, EIGHT, NINE = tag(6), tag(8), tag(9)
OTHER = tag(5, number=FOREIGN, kind=LONG)
INNER = tag(26, number=0x8769, kind=LONG)
BLOCKS = {
    "usual": (block(SIX), True),
    "after another tag": (block(OTHER, SIX), True),
    "more tags claimed than there are": (block(SIX, count=3), True),
    "the table ends the block": (block(SIX, end=b""), True),
    "a tag that is cut": (block(SIX, end=b"")[:-1], False),
    "no tags claimed": (block(SIX, count=0), False),
    "far from the start": (block(SIX, at=33), True),
    "out of range, then in range": (block(NINE, SIX), True),
    "of another type, then right": (block(tag(6, kind=LONG), SIX), True),
    "two numbers, then one": (block(tag(6, count=2), SIX), True),
    "upright, then turned": (block(tag(1), SIX), False),
    "in the inner table": (block(INNER) + block(SIX)[8:], True),
    "in a table inside the inner one": (
        block(INNER) + block(tag(44, number=0x8769, kind=LONG))[8:] + block(SIX)[8:],
        False,
    ),
    "a table without end": (block(tag(8, number=0x8769, kind=LONG)), False),
    "a header before the header": (b"Exif\0\0" + block(SIX), False),
    "another magic number": (block(SIX).replace(b"*", b"+"), False),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_which_orientation_counts(name: str) -> None:
    """JPEG and PNG are the formats in which browsers look for it."""
    exif, is_turned = BLOCKS[name]
    chunk = PNG[:33] + png_chunk(b"eXIf", exif) + PNG[33:]
    assert [on_white(source).shape[0] == 16 for source in (jpeg(b"Exif\0\0" + exif), chunk)] == [is_turned] * 2


def test_a_png_has_no_header_before_its_exif() -> None:
    """It has the name in its chunk."""
    assert on_white(PNG[:33] + png_chunk(b"eXIf", b"Exif\0\0" + block(SIX)) + PNG[33:]).shape[0] == 8


SEGMENTS = {
    "any byte after the name": ([b"Exif\0\xff" + block(SIX)], True),
    "after an empty one": ([b"Exif\0\0", b"Exif\0\0" + block(SIX)], True),
    "after one without orientation": ([b"Exif\0\0" + block(OTHER), b"Exif\0\0" + block(SIX)], False),
    "in two pieces": ([b"Exif\0\0" + block(OTHER, count=2, end=b""), b"Exif\0\0" + SIX], False),
    "another name": ([b"exif\0\0" + block(SIX)], False),
}


@pytest.mark.parametrize("after_frame", [False, True])
@pytest.mark.parametrize("name", SEGMENTS)
def test_the_first_exif_counts(name: str, after_frame: bool) -> None:
    """Pillow would join all of them, and ask for a zero after the name."""
    bodies, is_turned = SEGMENTS[name]
    assert (on_white(jpeg(*bodies, after_frame=after_frame)).shape[0] == 16) is is_turned


def piece(number: int, count: int, body: bytes) -> bytes:
    """A segment with a piece of a profile."""
    return b"ICC_PROFILE\0" + bytes([number, count]) + body


FIRST, REST = profiles.RGB_18[:200], profiles.RGB_18[200:]
PIECES = {
    "one": ([piece(1, 1, profiles.RGB_18)], True),
    "two": ([piece(1, 2, FIRST), piece(2, 2, REST)], True),
    "in reverse": ([piece(2, 2, REST), piece(1, 2, FIRST)], True),
    "a whole one, then another": ([piece(1, 1, profiles.RGB_18), piece(1, 1, profiles.P3)], True),
    "one missing": ([piece(1, 2, FIRST)], False),
    "one twice": ([piece(1, 2, FIRST), piece(1, 2, FIRST), piece(2, 2, REST)], False),
    "counted from zero": ([piece(0, 2, FIRST), piece(1, 2, REST)], False),
    "of none": ([piece(1, 0, profiles.RGB_18)], False),
    "of different counts": ([piece(1, 2, FIRST), piece(2, 3, REST)], False),
}


@pytest.mark.parametrize("after_frame", [False, True])
@pytest.mark.parametrize("name", PIECES)
def test_which_profile_counts(name: str, after_frame: bool) -> None:
    """Its pieces may be anywhere before the scan, in any order."""
    bodies, counts = PIECES[name]
    shown = on_white(jpeg(*bodies, marker=PROFILE, after_frame=after_frame))[4, 8]
    assert np.abs(shown - ((211, 119, 65) if counts else BROWN)).max() <= 4
