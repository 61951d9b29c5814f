"""Processing a picture in strips of rows gives the same result as processing it whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from PIL import Image

from imgproc.pipeline.images import resize
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import DISPLAY_P3, decode, encode, exif, icc_profile, photo, psnr

PIXELS = 10_000_000
EXTRAS = {"icc_profile": icc_profile(DISPLAY_P3), "exif": exif(6)}


def transparent() -> Image.Image:
    """A photograph of odd height with waves of transparency."""
    picture = photo("rocket")
    rows, columns = np.mgrid[0 : picture.height, 0 : picture.width]
    picture.putalpha(Image.fromarray(np.uint8(127 * (1 + np.sin(columns / 9) * np.cos(rows / 7)))))
    return picture


def wide_range(kind: type, factor: float) -> Image.Image:
    """The grey of a photograph in samples of another kind."""
    return Image.fromarray((np.asarray(photo("rocket").convert("L"), dtype=float) * factor).astype(kind))


SOURCES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encode(photo("rocket"), "JPEG", quality=95),
    "jpeg with extras": lambda: encode(photo("rocket"), "JPEG", quality=95, **EXTRAS),
    "cmyk jpeg": lambda: encode(photo("rocket").convert("CMYK"), "JPEG"),
    "rgb png": lambda: encode(photo("rocket"), "PNG"),
    "rgba png": lambda: encode(transparent(), "PNG"),
    "rgba png with extras": lambda: encode(transparent(), "PNG", **EXTRAS),
    "grey png with transparency": lambda: encode(transparent().convert("LA"), "PNG"),
    "palette png with transparency": lambda: encode(photo("rocket").quantize(32), "PNG", transparency=3),
    "16-bit png": lambda: encode(wide_range(np.uint16, 257), "PNG"),
    "floating-point tiff": lambda: encode(wide_range(np.float32, 0.01), "TIFF"),
    "cmyk tiff with extras": lambda: encode(photo("rocket").convert("CMYK"), "TIFF", exif=exif(5)),
    "gif": lambda: encode(photo("rocket").quantize(32), "GIF"),
    "webp": lambda: encode(transparent(), "WEBP", method=0),
}


@cache
def source(name: str) -> bytes:
    """The file of a case, made when a test first needs it and not wherever this module is collected."""
    return SOURCES[name]()


@pytest.mark.exhaustive
@pytest.mark.parametrize("scale", [1.0, 0.7, 0.5, 0.3, 0.11])
@pytest.mark.parametrize("name", SOURCES)
def test_strips_leave_no_seams(monkeypatch: pytest.MonkeyPatch, name: str, scale: float) -> None:
    """Every row matches the picture made in one piece, also at the edges of strips."""
    options = CompressOptions(scale=scale, format="png")
    whole = decode(compress(source(name), options=options, max_pixels=PIXELS).body)
    monkeypatch.setattr(resize, "STRIP_PIXELS", 5000)
    strips = decode(compress(source(name), options=options, max_pixels=PIXELS).body)
    assert strips.size == whole.size
    rows = range(whole.height)
    assert min(psnr(*(each.crop((0, row, each.width, row + 1)) for each in (whole, strips))) for row in rows) > 45
    assert psnr(strips, whole) > 60


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_picture_of_many_strips_keeps_its_rows(scale: float) -> None:
    """With strips of the real size, a large picture equals the one that Pillow alone makes."""
    picture = photo("astronaut").resize((1800, 2600))
    body = compress(
        encode(picture, "PNG", compress_level=1), options=CompressOptions(scale=scale, format="png"), max_pixels=PIXELS
    ).body
    assert psnr(decode(body), picture.reduce(round(1 / scale))) == pytest.approx(psnr(picture, picture))
