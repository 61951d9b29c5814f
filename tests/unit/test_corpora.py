"""How `make corpora` compares two pictures, and what it makes of a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from imgproc.core.errors import CompressError
from tests.corpora.purpose import purpose
from tests.corpora.shown import Shown, difference
from tests.corpora.verdict import AGREED, ON_PURPOSE, judge, second_opinion

REFUSED = CompressError("The PNG file of 12 bytes is damaged.", code="corrupt_image")


def grey(level: int = 100, *, height: int = 30, width: int = 50, whole: bool = True) -> Shown:
    """A picture of one grey."""
    return Shown(np.full((height, width, 3), level, np.uint8), is_whole=whole)


def test_rounding_is_no_difference_and_a_wrong_block_is() -> None:
    """Means of blocks are compared, to within 4 levels; a single block that differs is enough."""
    assert difference(grey(100), grey(104)) is None
    assert difference(grey(100), grey(105)) == "blocks differ by 5 levels"
    wrong = grey(100)
    wrong.pixels[-2:, -3:] = 255
    assert difference(grey(100), wrong) is not None
    assert difference(grey(height=3, width=2), grey(height=3, width=2)) is None  # smaller than the grid


def test_another_size_is_a_difference() -> None:
    """It is told before the pixels are compared."""
    assert difference(grey(), grey(width=51)) == "size 50 x 30 instead of 51 x 30"


@pytest.mark.parametrize(
    ("ours", "theirs", "group"),
    [
        pytest.param(grey(), grey(), AGREED, id="same"),
        pytest.param(grey(), grey(0), "png: looks different from Chromium", id="different"),
        pytest.param(grey(), None, AGREED, id="more than a browser shows"),
        pytest.param(grey(), grey(whole=False), "png: Chromium shows a part, we took it as whole", id="a part"),
        pytest.param(REFUSED, None, AGREED, id="both refuse"),
        pytest.param(REFUSED, grey(whole=False), AGREED, id="a part that we refuse"),
        pytest.param(
            REFUSED,
            grey(),
            "png: Chromium shows it whole, we refuse it: corrupt_image, The PNG file of N bytes is damaged.",
            id="refused",
        ),
    ],
)
def test_groups_files_by_what_differs(ours: Shown | CompressError, theirs: Shown | None, group: str) -> None:
    """Numbers in a refusal differ from file to file, so they do not make groups."""
    assert judge(Path("a.png"), "png", "Chromium", ours, theirs).group == group


def test_a_difference_on_purpose_is_no_disagreement() -> None:
    """It is counted by its reason, and keeps no pictures; what agrees needs no reason."""
    verdict = judge(Path("a.svg"), "svg", "Chromium", grey(), grey(0), purpose=lambda: "SVG without a size")
    assert (verdict.group, verdict.detail, verdict.ours) == (ON_PURPOSE, "SVG without a size", None)
    assert judge(Path("a.png"), "png", "Chromium", grey(), grey(), purpose=lambda: "any").group == AGREED


def picture(image_format: str, mode: str = "RGB", **options: Any) -> bytes:
    """A small picture."""
    stream = io.BytesIO()
    Image.new(mode, (8, 8)).save(stream, image_format, **options)
    return stream.getvalue()


TURNED = Image.Exif()
TURNED[ExifTags.Base.Orientation] = 6
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"%s/>'


@pytest.mark.parametrize(
    ("kind", "body", "is_on_purpose"),
    [
        pytest.param("webp", picture("WEBP", exif=TURNED), True, id="turned-webp"),
        pytest.param("webp", picture("WEBP"), False, id="webp"),
        pytest.param("jpeg", picture("JPEG")[:-2], True, id="jpeg-without-end"),
        pytest.param("jpeg", picture("JPEG", exif=TURNED), False, id="turned-jpeg"),
        pytest.param("svg", SVG % b"", True, id="svg-without-size"),
        pytest.param("svg", SVG % b' width="9" height="9"', False, id="svg"),
        pytest.param("bmp", picture("BMP", "P").replace(b"\x3a\0\0\0", b"\x36\0\0\0", 1), True, id="bmp-in-palette"),
        pytest.param("bmp", picture("BMP", "P"), False, id="bmp"),
        pytest.param("tiff", picture("TIFF", "CMYK"), True, id="cmyk-tiff"),
        pytest.param("tiff", picture("TIFF"), False, id="tiff"),
        pytest.param("png", picture("PNG"), False, id="png"),
    ],
)
def test_knows_where_we_differ_on_purpose(kind: str, body: bytes, is_on_purpose: bool) -> None:
    """Each reason is a row of the documentation."""
    assert (purpose(body, kind, None) is not None) is is_on_purpose
    assert purpose(body, kind, REFUSED) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "opinion", "told"),
    [
        pytest.param(grey(), grey(), grey(), "png: same as Chromium", id="all agree"),
        pytest.param(grey(), grey(), grey(0), "png: same as Chromium; unlike sharp", id="sharp differs"),
        pytest.param(grey(), grey(), None, "png: same as Chromium; sharp does not show it", id="sharp refuses"),
        pytest.param(grey(), grey(0), grey(), "png: looks different from Chromium; sharp as we do", id="as we do"),
        pytest.param(grey(), grey(0), grey(0), "png: looks different from Chromium", id="we differ from both"),
        pytest.param(REFUSED, None, None, "png: both refuse it (corrupt_image)", id="all refuse"),
        pytest.param(
            REFUSED, grey(whole=False), grey(), "png: both refuse it (corrupt_image); sharp shows it", id="shown"
        ),
    ],
)
def test_tells_what_sharp_shows(
    ours: Shown | CompressError, theirs: Shown | None, opinion: Shown | None, told: str
) -> None:
    """It tips no verdict: Chromium's judgement is the measure."""
    verdict = second_opinion(judge(Path("a.png"), "png", "Chromium", ours, theirs), "png", ours, opinion)
    assert told in {verdict.group, verdict.detail}
