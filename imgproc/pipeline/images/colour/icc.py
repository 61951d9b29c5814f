"""ICC profiles (ICC.1:2022): reads what Little CMS does not tell, and writes a profile of a colour space."""

from __future__ import annotations

import struct

from imgproc.pipeline.images.colour.colour_spaces import (
    CAMERA_CURVES,
    CURVES,
    PRIMARIES,
    ColourSpace,
    Matrix,
    inverse,
    product,
    to_xyz,
)

TAG_TABLE = 128  # where the table of tags starts in a profile
MAX_TAGS = 100  # Little CMS reads no more
MAX_PROFILE_BYTES = 4 * 1024 * 1024  # The largest press profiles stay below 3 MiB.
GREY, RGB, CMYK = b"GRAY", b"RGB ", b"CMYK"
SPACES = {GREY, RGB, CMYK}

BT1886 = (2.4,)  # the curve of displays for pictures that a camera encoded (ITU-R BT.1886)
D50 = (0.9642, 1.0, 0.8249)  # the white of all profiles
BRADFORD: Matrix = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
_KINDS = {1: 0, 3: 1, 5: 3}  # the kind of a parametric curve by the number of its parameters (10.18)
_LARGEST = 32767.0  # of an s15Fixed16Number


def space_of(profile: bytes) -> bytes:
    """The colour space of the samples that the profile is for, such as `RGB ` (7.2.6)."""
    return profile[16:20]


def is_usable(profile: bytes) -> bool:
    """Whether Chromium uses the profile, for pictures of its colour space."""
    if profile[36:40] != b"acsp" or profile[8] > 4 or space_of(profile) not in SPACES:
        return False
    tags = _tags(profile)
    if space_of(profile) == GREY:
        return b"kTRC" in tags and profile[20:24] == b"XYZ "
    matrix = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    return bool(tags.keys() & {b"A2B0", b"A2B1"}) or (space_of(profile) == RGB and matrix <= tags.keys())


def has_perceptual_table(profile: bytes) -> bool:
    """Whether the table for the perceptual intent is there; the other tables count only without it."""
    tags = _tags(profile)
    return b"A2B0" in tags or b"A2B1" not in tags


def named_space(profile: bytes) -> ColourSpace | None:
    """The colour space that the profile names by code points (9.2.17), which count more than its curves."""
    body = _tags(profile).get(b"cicp", b"")
    if len(body) < 12 or body[10] != 0 or body[11] != 1:
        return None
    return named(body[8], body[9])


def named(primaries: int, transfer: int) -> ColourSpace | None:
    """The colour space of two code points as in PNG and ICC; None where Chromium ignores them."""
    curve = BT1886 if transfer in CAMERA_CURVES else CURVES.get(transfer)
    return ColourSpace(PRIMARIES[primaries], curve) if curve and primaries in PRIMARIES else None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile.ljust(TAG_TABLE + 4, b"\0"), TAG_TABLE)
    tags = {}
    for entry in range(TAG_TABLE + 4, TAG_TABLE + 4 + 12 * min(count, MAX_TAGS), 12):
        if entry + 12 <= len(profile):
            name, start, length = struct.unpack_from(">4sII", profile, entry)
            tags[name] = profile[start : start + length]
    return tags


def matrix_profile(space: ColourSpace) -> bytes:
    """A profile of a colour space that is not HDR.

    Raises:
        ArithmeticError: its primaries span no colours.
    """
    columns = zip(*_adapted(to_xyz(space.primaries)), strict=True)
    curve = b"para\0\0\0\0" + struct.pack(">HH", _KINDS[len(space.curve)], 0) + _fixed(*map(float, space.curve))
    tags = {
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(*D50),
        **{b"%cXYZ" % name: b"XYZ \0\0\0\0" + _fixed(*xyz) for name, xyz in zip(b"rgb", columns, strict=True)},
        **{b"%cTRC" % name: curve for name in b"rgb"},
    }
    table, body, start = b"", b"", TAG_TABLE + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x04300000, b"mntr", RGB, b"XYZ ", b"acsp")
    return (header + _fixed(*D50)).ljust(TAG_TABLE, b"\0") + struct.pack(">I", len(tags)) + table + body


def _adapted(matrix: Matrix) -> Matrix:
    """The matrix to XYZ with its white turned into D50, by Bradford's method (Annex E)."""
    white = [sum(row) for row in matrix]
    cones = [[sum(row[i] * colour[i] for i in range(3)) for row in BRADFORD] for colour in (white, D50)]
    scale = [[cones[1][i] / cones[0][i] if i == j else 0.0 for j in range(3)] for i in range(3)]
    return product(inverse(BRADFORD), product(scale, product(BRADFORD, matrix)))


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(max(-_LARGEST, min(number, _LARGEST)) * 65536)) for number in numbers)
