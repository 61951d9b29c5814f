"""What the samples of a PNG mean: cICP before iCCP before sRGB before gAMA with cHRM, each only where it is valid."""

from __future__ import annotations

import struct
import zlib

from imgproc.pipeline.images.colour import icc
from imgproc.pipeline.images.colour.colour_spaces import SRGB_PRIMARIES, ColourSpace, peak_of, to_xyz

USUAL_GAMMA = 1 / 2.2
MOST_NAME = 80  # bytes of the name of a profile; browsers do not use one with a longer name
SAME_GAMMA = 0.05  # A gamma this close to the usual one is sRGB, where no primaries are given.


def colours_of_png(chunks: dict[bytes, bytes]) -> bytes | ColourSpace | None:
    """The colour space or ICC profile by the chunks about colours; None for sRGB."""
    space = _by_code_points(chunks)
    profile = None if space else _profile(chunks.get(b"iCCP", b""))
    if space is None and profile is None and not _is_srgb(chunks.get(b"sRGB", b"")):
        space = _by_gamma(chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b""))
    return profile or (None if space is None or space.is_srgb else space)


def _by_code_points(chunks: dict[bytes, bytes]) -> ColourSpace | None:
    codes = chunks.get(b"cICP", b"")
    if len(codes) != 4 or codes[2:] != b"\0\1":  # RGB of the full range
        return None
    space = icc.named(codes[0], codes[1])
    levels, mastered = chunks.get(b"cLLI", b""), chunks.get(b"mDCV", b"")
    content = int.from_bytes(levels[:4], "big") / 10_000 if len(levels) == 8 else 0
    display = int.from_bytes(mastered[16:20], "big") / 10_000 if len(mastered) == 24 else 0
    return space and ColourSpace(space.primaries, space.curve, peak_of(content=content, display=display))


def _profile(chunk: bytes) -> bytes | None:
    name, _, packed = chunk.partition(b"\0")
    if not 0 < len(name) <= MOST_NAME or packed[:1] != b"\0":
        return None
    decoder = zlib.decompressobj()
    try:
        profile = decoder.decompress(packed[1:], icc.MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    size = int.from_bytes(profile[:4], "big")
    is_whole = decoder.eof and icc.TAG_TABLE < size <= len(profile)
    return profile[:size] if is_whole and icc.is_usable(profile[:size]) else None


def _is_srgb(chunk: bytes) -> bool:
    return len(chunk) == 1 and chunk[0] <= 3


def _by_gamma(gamma: bytes, chromaticities: bytes) -> ColourSpace | None:
    encoding = int.from_bytes(gamma, "big") / 100_000 if len(gamma) == 4 else 0
    if not encoding:
        return None
    if len(chromaticities) != 32:
        is_usual = abs(encoding / USUAL_GAMMA - 1) <= SAME_GAMMA
        return None if is_usual else ColourSpace(SRGB_PRIMARIES, (1 / encoding,))
    primaries = tuple(number / 100_000 for number in struct.unpack(">8I", chromaticities))
    try:
        to_xyz(primaries)
    except ArithmeticError:
        return None
    return ColourSpace(primaries, (1 / encoding,)) if max(primaries) <= 1 else None
