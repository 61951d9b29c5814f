"""ICC profiles of JPEG, WebP and TIFF, of which Chromium uses those for the picture's own kind of samples."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgproc.pipeline.images.compress import CompressOptions, compress
from imgproc.pipeline.images.guards.cost import CpuTime
from imgproc.pipeline.images.lossless.png import keep_png
from tests.support import profiles
from tests.support.photographs import DISPLAY_P3, decode, encode, quadrants
from tests.support.png_pictures import code_points, gamma

BROWN = (200, 100, 50)
AS_18, AS_P3, AS_P3_22 = (211, 119, 65), (215, 93, 31), (216, 92, 24)
CODED = profiles.matrix_tags() | {"cicp": profiles.code_points(12, 13)}
LINKED, ABSTRACT = (
    profiles.profile(b"RGB ", profiles.matrix_tags(DISPLAY_P3), kind=kind) for kind in (b"link", b"abst")
)
DARKEST = profiles.table(3, lambda rgb: (20 + 80 * sum(rgb) / 3, 0, 0))
GREY_SHADOWS = profiles.profile(b"RGB ", {"A2B0": DARKEST, "A2B1": profiles.LAB_TABLE}, pcs=b"Lab ")
FLOATING = profiles.matrix_tags(DISPLAY_P3) | dict.fromkeys(("D2B0", "D2B1", "B2D0"), b"mpet\0\0\0\0")
# Its black ink is red, so it shows whether it counts.
RED_BLACK = profiles.table(4, lambda ink: (15 + 85 * (1 - ink[0]) * (1 - ink[3]), 40 * ink[3] * (1 - ink[0]), 0))
RED_PRESS = profiles.profile(b"CMYK", {"A2B0": RED_BLACK, "A2B1": profiles.INKS}, pcs=b"Lab ", kind=b"prtr")
VERSION_5 = profiles.profile(b"RGB ", profiles.matrix_tags(DISPLAY_P3), version=5)
EXACT: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {},
}


def shown(source: bytes) -> tuple[int, ...]:
    """The colour of a pixel at full size."""
    body = compress(source, options=CompressOptions(scale=1.0, format="png"), max_pixels=1_000_000).body
    return tuple(np.asarray(decode(body).convert("RGB")).astype(int)[8, 8])


@pytest.mark.parametrize("image_format", EXACT)
@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(profiles.P3, AS_P3_22, id="display-p3"),
        pytest.param(profiles.RGB_18, AS_18, id="gamma-1.8"),
        pytest.param(profiles.TABLED, (148, 93, 90), id="a-table"),
        pytest.param(profiles.COLORIMETRIC, (148, 93, 90), id="a-colorimetric-table"),
        pytest.param(profiles.profile(b"RGB ", CODED, version=4), AS_P3, id="code-points"),
        pytest.param(LINKED, AS_P3_22, id="of-the-class-link"),
        pytest.param(ABSTRACT, AS_P3_22, id="of-the-class-abstract"),
        pytest.param(VERSION_5, BROWN, id="version-5"),
        pytest.param(profiles.GREY_18, BROWN, id="grey"),
        pytest.param(profiles.PRESS, BROWN, id="cmyk"),
    ],
)
def test_profiles_of_rgb(image_format: str, profile: bytes, expected: tuple[int, ...]) -> None:
    """A profile for other samples is ignored."""
    source = encode(Image.new("RGB", (16, 16), BROWN), image_format, icc_profile=profile, **EXACT[image_format])
    assert np.abs(np.array(shown(source)) - expected).max() <= 3


@pytest.mark.parametrize(
    ("colour", "expected"), [((0, 0, 0), (47, 48, 49)), (BROWN, (134, 135, 136)), ((255, 255, 255), (252, 254, 255))]
)
def test_the_darkest_colour_of_a_table_stays_grey(colour: tuple[int, int, int], expected: tuple[int, ...]) -> None:
    """What Chromium shows; the perceptual intent of Little CMS turns it into black."""
    source = encode(Image.new("RGB", (16, 16), colour), "PNG", icc_profile=GREY_SHADOWS)
    assert np.abs(np.array(shown(source)) - expected).max() <= 3


@pytest.mark.parametrize(
    ("inks", "expected"),
    [
        pytest.param((0, 0, 0, 255), (37, 38, 38), id="black-ink"),
        pytest.param((0, 0, 0, 128), (136, 137, 138), id="half-of-black-ink"),
        pytest.param((128, 128, 128, 0), (136, 137, 138), id="the-same-of-the-others"),
        pytest.param((60, 20, 10, 80), (141, 143, 143), id="all"),
    ],
)
def test_chromium_mixes_black_ink_into_the_others(inks: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """What it shows of a JPEG. libvips, the judge of TIFF, takes the ink from the profile, so a grey is red here."""
    picture = Image.new("CMYK", (16, 16), inks)
    assert np.abs(np.array(shown(encode(picture, "JPEG", quality=100, icc_profile=RED_PRESS))) - expected).max() <= 3
    red, green, _ = shown(encode(picture, "TIFF", icc_profile=RED_PRESS))
    assert (red > green + 10) == (inks[3] > 0)


def test_unused_transforms_do_not_spoil_a_profile() -> None:
    """Little CMS refuses two tags of one name, so each that is hidden gets a name of its own."""
    source = encode(
        Image.new("RGB", (16, 16), BROWN), "PNG", icc_profile=profiles.profile(b"RGB ", FLOATING, version=4)
    )
    assert np.abs(np.array(shown(source)) - AS_P3_22).max() <= 3


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(profiles.GREY_18, (146, 146, 146), id="grey"),
        pytest.param(profiles.RGB_18, (146, 146, 146), id="rgb"),
        pytest.param(profiles.TINTED, (146, 129, 188), id="rgb-that-tints"),
        pytest.param(profiles.PRESS, (128, 128, 128), id="cmyk"),
    ],
)
def test_profiles_of_grey(image_format: str, profile: bytes, expected: tuple[int, ...]) -> None:
    """A profile of RGB applies to three equal samples."""
    source = encode(Image.new("L", (16, 16), 128), image_format, icc_profile=profile)
    assert np.abs(np.array(shown(source)) - expected).max() <= 3


@pytest.mark.parametrize("profile", [profiles.P3, profiles.GREY_18, None], ids=["rgb", "grey", "none"])
def test_a_cmyk_picture_ignores_other_profiles(profile: bytes | None) -> None:
    """It is converted as if it had none."""
    inks = Image.new("RGB", (16, 16), BROWN).convert("CMYK")
    source = encode(inks, "JPEG", quality=100, **({"icc_profile": profile} if profile else {}))
    assert np.abs(np.array(shown(source)) - BROWN).max() <= 3


def test_shows_the_base_picture_of_an_ultra_hdr_jpeg() -> None:
    """The gain map, a second JPEG after the first, is for HDR displays alone."""
    base = encode(quadrants(), "JPEG", quality=95)
    gain_map = encode(Image.new("L", (16, 8), 200), "JPEG")
    index = b"MPF\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0xB001, 4, 1, 2) + bytes(4)
    source = base[:2] + b"\xff\xe2" + struct.pack(">H", 2 + len(index)) + index + base[2:] + gain_map
    assert shown(source) == shown(base)
    assert compress(source, options=CompressOptions(), max_pixels=10_000).source.width == 64


def test_keeps_no_colours_that_did_not_count() -> None:
    """A file whose code points say sRGB may have a gamma that says otherwise, and would count without them."""
    picture = encode(Image.new("RGB", (16, 16), BROWN).quantize(2), "PNG")
    kept = keep_png(picture[:33] + code_points(1, 13) + gamma(1) + picture[33:], CpuTime())
    assert kept is not None
    assert shown(kept) == shown(picture)
