"""What holds for every picture: another lossless form of the same pixels gives the same rendition."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgproc.pipeline.images.compress import CompressOptions, compress

patient = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])

# The transposition that undoes an Exif orientation.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 1},
    "PNG, optimized": {"optimize": True},
    "BMP": {},
    "TIFF": {},
    "TIFF, LZW": {"compression": "tiff_lzw"},
    "TIFF, Deflate": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"lossless": True, "exact": True},
}


@st.composite
def pictures(draw: st.DrawFn, modes: tuple[str, ...] = ("RGB", "L", "RGBA")) -> Image.Image:
    """A picture of any colours, up to 40 pixels a side."""
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    mode = draw(st.sampled_from(modes))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = noise.integers(0, 256, (height, width, len(mode)), dtype=np.uint8)
    return Image.fromarray(levels.squeeze(2) if mode == "L" else levels, mode)


def saved(picture: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    """The picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, name.partition(",")[0], **options)
    return stream.getvalue()


def made(source: bytes, *, scale: float = 1.0) -> Image.Image:
    """The rendition of a file, without loss."""
    body = compress(source, options=CompressOptions(scale=scale, format="png"), max_pixels=10**6).body
    with Image.open(io.BytesIO(body)) as picture:
        plain: Image.Image = picture.convert("RGBA")
    return plain


def same(one: Image.Image, other: Image.Image) -> bool:
    """Whether all visible pixels are equal; the colour of what is fully transparent does not matter."""
    levels = [np.asarray(each.convert("RGBA")).copy() for each in (one, other)]
    for each in levels:
        each[each[..., 3] == 0] = 0
    return np.array_equal(*levels)


@patient
@given(picture=pictures(("RGB",)), orientation=st.sampled_from(sorted(STORED)))
def test_an_orientation_changes_nothing(picture: Image.Image, orientation: int) -> None:
    """A picture that is stored turned, with the orientation that says so, is the upright one."""
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = picture if turn is None else picture.transpose(turn)
    assert same(made(saved(stored, exif=exif)), picture)


@pytest.mark.parametrize("name", LOSSLESS)
@patient
@given(picture=pictures())
def test_another_lossless_format_changes_nothing(name: str, picture: Image.Image) -> None:
    """The pixels are those of the picture, whatever file held them."""
    if name == "BMP" and picture.mode == "RGBA":
        picture = picture.convert("RGB")
    assert same(made(saved(picture, name, **LOSSLESS[name])), picture)


@patient
@given(picture=pictures())
def test_a_rendition_without_loss_can_be_made_again(picture: Image.Image) -> None:
    """A PNG of a PNG is the same picture."""
    once = made(saved(picture))
    assert same(made(saved(once)), once)


@patient
@given(picture=pictures(), data=st.data())
def test_a_crop_is_the_crop_of_the_rendition(picture: Image.Image, data: st.DataObject) -> None:
    """No pixel depends on those outside the crop at full size."""
    left, top = data.draw(st.integers(0, picture.width - 1)), data.draw(st.integers(0, picture.height - 1))
    box = left, top, picture.width, picture.height
    assert same(made(saved(picture.crop(box))), made(saved(picture)).crop(box))


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF", "WEBP"])
@patient
@given(picture=pictures(("RGB", "L")))
def test_half_of_a_doubled_picture_is_the_picture(name: str, picture: Image.Image) -> None:
    """Each pixel is four equal ones in the source, and their mean is the pixel."""
    doubled = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST)
    assert same(made(saved(doubled, name, **LOSSLESS[name]), scale=0.5), picture)
