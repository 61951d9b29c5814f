"""The colours of PNGs: cICP, iCCP, sRGB, gAMA and cHRM, and which counts. The expected values are Chromium's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support import profiles
from tests.support.photographs import decode
from tests.support.picture_bytes import png_chunk
from tests.support.png_pictures import (
    chromaticities,
    code_points,
    damaged,
    gamma,
    light_levels,
    mastered,
    png_of,
    profile_chunk,
)

BROWN, GREY = (200, 100, 50), (128, 128, 128)
SRGB = png_chunk(b"sRGB", b"\0")
SRGB_POINTS = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_POINTS = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
BT2020_POINTS = (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
UNCHANGED, LINEAR, AS_P3 = (*BROWN, 128), (229, 168, 122, 188), (215, 93, 31, 128)
CODED = profiles.profile(b"RGB ", profiles.matrix_tags() | {"cicp": profiles.code_points(12, 13)}, version=4)
AS_18, AS_P3_22 = (211, 119, 65, 146), (216, 92, 24, 129)

# What Chromium shows of brown and of the middle grey.
CASES: dict[str, tuple[list[bytes], tuple[int, ...]]] = {
    "nothing": ([], UNCHANGED),
    # gAMA and cHRM
    "linear": ([gamma(1)], LINEAR),
    "the usual gamma": ([gamma(0.45455)], UNCHANGED),
    "a gamma of a Mac": ([gamma(0.55556)], (210, 119, 65, 146)),
    "a low gamma": ([gamma(0.3)], (178, 59, 14, 89)),
    "a gamma just above the usual one": ([gamma(0.477)], UNCHANGED),
    "a gamma too far above it": ([gamma(0.48)], (204, 105, 51, 134)),
    "a gamma just below": ([gamma(0.432)], UNCHANGED),
    "a gamma too far below": ([gamma(0.43)], (199, 95, 41, 124)),
    "a gamma of 0": ([gamma(0)], UNCHANGED),
    "the lowest gamma": ([gamma(0.00001)], (0, 0, 0, 0)),
    "the highest gamma": ([png_chunk(b"gAMA", b"\xff" * 4)], (255, 255, 255, 255)),
    "a short gamma": ([png_chunk(b"gAMA", b"\0\1")], UNCHANGED),
    "a long gamma": ([png_chunk(b"gAMA", b"\0\1\x86\xa0\0")], UNCHANGED),
    "two gammas": ([gamma(1), gamma(0.45455)], LINEAR),
    "a damaged gamma": ([damaged(gamma(1))], UNCHANGED),
    "primaries without a gamma": ([chromaticities(*P3_POINTS)], UNCHANGED),
    "P3 primaries and the usual gamma": ([gamma(0.45455), chromaticities(*P3_POINTS)], (216, 93, 24, 129)),
    "P3 primaries, linear": ([gamma(1), chromaticities(*P3_POINTS)], (240, 165, 114, 188)),
    "BT.2020 primaries": ([gamma(0.45455), chromaticities(*BT2020_POINTS)], (243, 75, 21, 129)),
    "sRGB primaries and a pure gamma": ([gamma(0.45455), chromaticities(*SRGB_POINTS)], (201, 100, 46, 129)),
    "another white": ([gamma(0.45455), chromaticities(0.4, 0.4, *SRGB_POINTS[2:])], (218, 103, 70, 129)),
    "primaries on one line": ([gamma(1), chromaticities(0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3)], UNCHANGED),
    "primaries above 1": ([gamma(1), chromaticities(0.3127, 0.3290, 1.4, *SRGB_POINTS[3:])], UNCHANGED),
    "primaries of 0": ([gamma(0.5), chromaticities(*[0] * 8)], UNCHANGED),
    "short primaries": ([gamma(1), png_chunk(b"cHRM", bytes(31))], LINEAR),
    "damaged primaries": ([gamma(1), damaged(chromaticities(*P3_POINTS))], LINEAR),
    # sRGB
    "sRGB before gamma": ([gamma(1), SRGB], UNCHANGED),
    "an empty sRGB": ([png_chunk(b"sRGB", b""), gamma(1)], LINEAR),
    "an sRGB of no intent": ([png_chunk(b"sRGB", b"\x09"), gamma(1)], LINEAR),
    "a damaged sRGB": ([damaged(SRGB), gamma(1)], LINEAR),
    # cICP
    "Display P3": ([code_points(12, 13)], AS_P3),
    "Display P3 before all others": ([gamma(1), SRGB, profile_chunk(profiles.RGB_18), code_points(12, 13)], AS_P3),
    "sRGB by code points before a profile": ([profile_chunk(profiles.P3), code_points(1, 13)], UNCHANGED),
    "BT.2020": ([code_points(9, 14)], (239, 63, 5, 121)),
    "BT.2020 with the curve of sRGB": ([code_points(9, 13)], (241, 76, 29, 128)),
    "BT.709": ([code_points(1, 1)], (197, 91, 39, 121)),
    "xvYCC": ([code_points(1, 11)], (197, 91, 39, 121)),
    "gamma 2.2": ([code_points(1, 4)], (201, 100, 46, 129)),
    "gamma 2.8": ([code_points(1, 5)], (189, 76, 26, 106)),
    "SMPTE 240": ([code_points(1, 7)], (206, 115, 68, 141)),
    "linear by code points": ([code_points(1, 8)], LINEAR),
    "SMPTE 428": ([code_points(1, 17)], (200, 87, 34, 118)),
    "BT.470 M": ([code_points(4, 13)], (232, 93, 30, 128)),
    "BT.470 BG": ([code_points(5, 13)], (203, 100, 51, 128)),
    "SMPTE 170": ([code_points(6, 13)], (196, 102, 49, 128)),
    "film": ([code_points(8, 13)], (222, 92, 32, 128)),
    "XYZ": ([code_points(10, 13)], (255, 0, 61, 128)),
    "DCI-P3": ([code_points(11, 13)], (211, 93, 32, 128)),
    "EBU 3213": ([code_points(22, 13)], (202, 102, 49, 128)),
    "unspecified": ([code_points(2, 2), gamma(1)], LINEAR),
    "unspecified primaries": ([code_points(2, 8)], UNCHANGED),
    "an unknown curve": ([code_points(12, 99)], UNCHANGED),
    "a logarithmic curve": ([code_points(12, 9)], UNCHANGED),
    "limited range": ([code_points(12, 13, 0, 0), gamma(1)], LINEAR),
    "short code points": ([png_chunk(b"cICP", b"\x0c\x0d")], UNCHANGED),
    "damaged code points": ([damaged(code_points(12, 13))], UNCHANGED),
    # HDR
    "HDR10": ([code_points(9, 16)], (255, 0, 0, 132)),
    "PQ with the primaries of sRGB": ([code_points(1, 16)], (255, 51, 8, 132)),
    "HLG": ([code_points(9, 18)], (230, 48, 17, 99)),
    "HLG with P3": ([code_points(12, 18)], (202, 71, 18, 99)),
    "HLG with the primaries of sRGB": ([code_points(1, 18)], (187, 80, 39, 99)),
    "HDR10 of 4,000 nits": ([code_points(9, 16), light_levels(4000)], (255, 0, 0, 132)),
    "HDR10 of 500 nits": ([code_points(9, 16), light_levels(500)], (255, 0, 0, 156)),
    "HDR10 without highlights": ([code_points(9, 16), light_levels(100)], (255, 0, 0, 181)),
    "HDR10 for a display of 500 nits": ([code_points(9, 16), mastered(500)], (255, 0, 0, 156)),
    "HDR10 of 600 nits for one of 4,000": ([code_points(9, 16), mastered(4000), light_levels(600)], (255, 0, 0, 150)),
    "levels of light without HDR": ([code_points(1, 13), light_levels(4000)], UNCHANGED),
    # iCCP
    "a profile": ([profile_chunk(profiles.P3)], AS_P3_22),
    "a profile before sRGB and gamma": ([SRGB, gamma(1), profile_chunk(profiles.P3)], AS_P3_22),
    "two profiles": ([profile_chunk(profiles.RGB_18), profile_chunk(profiles.P3)], AS_18),
    "no profile but gamma": ([profile_chunk(b"junk" * 99), gamma(1)], LINEAR),
    "a profile of version 5": ([profile_chunk(profiles.P3[:8] + b"\5" + profiles.P3[9:]), gamma(1)], LINEAR),
    "a profile without its end": ([png_chunk(b"iCCP", profile_chunk(profiles.RGB_18)[8:-13])], UNCHANGED),
    "a profile of bytes that do not inflate": ([png_chunk(b"iCCP", b"a\0\0xxxxxxx"), gamma(1)], LINEAR),
    "a profile of no name": ([png_chunk(b"iCCP", profile_chunk(profiles.RGB_18)[9:-4])], UNCHANGED),
    "a profile of a long name": (
        [png_chunk(b"iCCP", b"a" * 79 + profile_chunk(profiles.P3)[8:-4]), gamma(1)],
        AS_P3_22,
    ),
    "a profile of too long a name": (
        [png_chunk(b"iCCP", b"a" * 80 + profile_chunk(profiles.P3)[8:-4]), gamma(1)],
        LINEAR,
    ),
    "a profile with bytes after it": ([profile_chunk(profiles.RGB_18 + bytes(200))], AS_18),
    "a grey profile": ([profile_chunk(profiles.GREY_18), gamma(1)], UNCHANGED),
    "a CMYK profile": ([profile_chunk(profiles.PRESS), gamma(1)], UNCHANGED),
    "a table": ([profile_chunk(profiles.TABLED)], (148, 93, 90, 119)),
    "a colorimetric table alone": ([profile_chunk(profiles.COLORIMETRIC)], (148, 93, 90, 119)),
    "code points in a profile": ([profile_chunk(CODED)], AS_P3),
}


def shown(samples: Any, *chunks: bytes, **kind: Any) -> np.ndarray[Any, Any]:
    """The pixels of the rendition at full size, as RGBA."""
    options = CompressOptions(scale=1.0, format="png")
    body = compress(png_of(samples, *chunks, **kind), options=options, max_pixels=1_000_000).body
    return np.asarray(decode(body).convert("RGBA")).astype(int)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("alpha", [(), (77,)], ids=["opaque", "transparent"])
def test_shows_the_colours_that_chromium_shows(name: str, depth: int, alpha: tuple[int, ...]) -> None:
    """Most of these pictures would look right without their chunks; some would not."""
    chunks, expected = CASES[name]
    samples = np.array([[(*BROWN, *alpha), (*GREY, *alpha)]] * 2) * (257 if depth == 16 else 1)
    brown, grey = shown(samples, *chunks, depth=depth, colour=6 if alpha else 2)[0]
    assert np.abs(np.array([*brown[:3], grey[1]]) - expected).max() <= 3
    assert brown[3] == (alpha or (255,))[0]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(profiles.GREY_18, (146, 146, 146), id="grey"),
        pytest.param(profiles.RGB_18, (146, 146, 146), id="rgb"),
        pytest.param(profiles.TINTED, (146, 129, 188), id="rgb-that-tints"),
        pytest.param(profiles.PRESS, GREY, id="cmyk"),
        pytest.param(profiles.profile(b"GRAY", {"kTRC": profiles.curve(1.8)}, pcs=b"Lab "), GREY, id="grey-to-lab"),
    ],
)
@pytest.mark.parametrize(("colour", "depth"), [(0, 8), (0, 16), (4, 8), (4, 16)])
def test_applies_profiles_to_grey(colour: int, depth: int, profile: bytes, expected: tuple[int, ...]) -> None:
    """A profile of RGB counts for grey pictures, and may tint them; a grey one counts with transparency, too."""
    samples = np.full((2, 2, 1 + colour // 4), 128) * (257 if depth == 16 else 1)
    pixel = shown(samples, profile_chunk(profile), colour=colour, depth=depth)[0, 0]
    assert np.abs(pixel[:3] - expected).max() <= 3


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param((gamma(1),), LINEAR[:3], id="gamma"),
        pytest.param((profile_chunk(profiles.RGB_18),), AS_18[:3], id="profile"),
        pytest.param((code_points(12, 13),), BROWN, id="code-points-are-too-late"),
    ],
)
def test_colours_after_a_palette(chunks: tuple[bytes, ...], expected: tuple[int, ...]) -> None:
    """Only the code points must come before it."""
    palette = png_chunk(b"PLTE", bytes(BROWN))
    assert np.abs(shown(np.zeros((2, 2, 1)), palette, *chunks, colour=3)[0, 0, :3] - expected).max() <= 3


def test_white_stays_white_in_every_space() -> None:
    """The white of the display, which for HLG is the largest sample, becomes 255 of each."""
    for chunk in (gamma(0.3), code_points(12, 13), code_points(9, 14), code_points(9, 16), code_points(9, 18)):
        assert shown(np.full((2, 2, 3), 255), chunk)[0, 0].tolist() == [255] * 4


def test_hdr_greys_stay_grey_and_get_no_darker() -> None:
    """Every sample of a ramp of greys is at least as bright as the one before, and without a tint."""
    ramp = np.arange(256).reshape(1, 256, 1).repeat(3, 2)
    for transfer in (16, 18):
        greys = shown(ramp, code_points(9, transfer))[0]
        assert np.ptp(greys[:, :3], axis=1).max() <= 1
        assert (np.diff(greys[:, 1]) >= 0).all()
