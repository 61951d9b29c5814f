"""ICC profiles of every kind, built by hand (ICC.1:2022)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from itertools import product

from tests.support.photographs import DISPLAY_P3, SRGB

Colour = tuple[float, ...]


def fixed(*numbers: float) -> bytes:
    """Numbers as s15Fixed16Number."""
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def profile(
    space: bytes, tags: Mapping[str, bytes], *, pcs: bytes = b"XYZ ", version: int = 2, kind: bytes = b"mntr"
) -> bytes:
    """A profile with these tags."""
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        table += name.encode() + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4xB3x4s4s4s12x4s", start + len(body), version, kind, space, pcs, b"acsp")
    head = (head + bytes(28) + fixed(0.9642, 1.0, 0.8249)).ljust(128, b"\0")
    return head + struct.pack(">I", len(tags)) + table + body


def curve(gamma: float) -> bytes:
    """A curve of one gamma."""
    return b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))


def matrix_tags(primaries: tuple[Colour, ...] = SRGB, *gammas: float) -> dict[str, bytes]:
    """The tags of a matrix profile with a gamma for red, green and blue."""
    columns = {f"{name}XYZ": b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in zip("rgb", primaries, strict=True)}
    return columns | {f"{name}TRC": curve(gamma) for name, gamma in zip("rgb", gammas or (2.2,) * 3, strict=True)}


def table(channels: int, to_lab: Callable[[Colour], Colour], points: int = 5) -> bytes:
    """A table from the samples to Lab (mft2); L from 0 to 100."""
    axis = [point / (points - 1) for point in range(points)]
    entries = b""
    for colour in product(axis, repeat=channels):
        light, a, b = to_lab(colour)
        entries += struct.pack(">HHH", round(light * 652.8), round((a + 128) * 256), round((b + 128) * 256))
    straight = struct.pack(">HH", 0, 65535)
    head = bytes([channels, 3, points, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + struct.pack(">HH", 2, 2)
    return b"mft2\0\0\0\0" + head + straight * channels + entries + straight * 3


def code_points(primaries: int, transfer: int) -> bytes:
    """A cicp tag."""
    return b"cicp\0\0\0\0" + bytes([primaries, transfer, 0, 1])


GREY_18 = profile(b"GRAY", {"kTRC": curve(1.8)})
P3 = profile(b"RGB ", matrix_tags(DISPLAY_P3))
RGB_18 = profile(b"RGB ", matrix_tags(SRGB, 1.8, 1.8, 1.8))
TINTED = profile(b"RGB ", matrix_tags(SRGB, 1.8, 2.2, 1.0))
LAB_TABLE = table(3, lambda rgb: (sum(rgb) / 3 * 100, (rgb[0] - rgb[1]) * 60, (rgb[1] - rgb[2]) * 60), points=9)
TABLED = profile(b"RGB ", {"A2B0": LAB_TABLE}, pcs=b"Lab ")
COLORIMETRIC = profile(b"RGB ", {"A2B1": LAB_TABLE}, pcs=b"Lab ")
INKS = table(4, lambda ink: ((1 - ink[0]) * (1 - ink[3]) * 100, 0, 0))
PRESS = profile(b"CMYK", {"A2B0": INKS}, pcs=b"Lab ", kind=b"prtr")
