"""The demo's pictures are valid files of the kinds that the catalogue names, the same on every run."""

from __future__ import annotations

import csv
import io

import pytest
from PIL import Image, ImageCms, ImageOps

from imgproc.demo.catalogue import CATALOGUE, PICTURES, catalogue_csv
from imgproc.demo.pictures import Picture, display_p3_profile, mug, render

EACH_PICTURE = pytest.mark.parametrize("picture", [pytest.param(p, id=p.name) for p in PICTURES.values()])


def opened(picture: Picture) -> Image.Image:
    """The picture, opened from its file."""
    return Image.open(io.BytesIO(render(picture)))


@pytest.mark.exhaustive
@EACH_PICTURE
def test_has_the_size_in_the_catalogue(picture: Picture) -> None:
    """Also if it is stored on its side; both sides are even, so that half of them is a whole number."""
    assert picture.size == ImageOps.exif_transpose(opened(picture)).size
    assert [side % 2 for side in picture.size] == [0, 0]


@EACH_PICTURE
def test_has_the_format_of_its_extension(picture: Picture) -> None:
    """A name that ends in .png is a PNG, and one that ends in .jpg a JPEG."""
    assert {"jpg": "JPEG", "png": "PNG"}[picture.name[-3:]] == opened(picture).format


def test_renders_the_same_bytes_every_time() -> None:
    """The demo shows the same results on every run."""
    picture = Picture("small.jpg", (60, 40), mug, (190, 80, 60))
    first = render(picture)
    render.cache_clear()
    assert first == render(picture)


@pytest.mark.parametrize("kind", ["jpeg", "rotated jpeg", "display-p3 jpeg", "png with alpha"])
def test_the_catalogue_holds_every_kind(kind: str) -> None:
    """Careless services get these kinds wrong."""
    assert kind in {picture.kind for picture in PICTURES.values()}


def test_a_rotated_picture_is_stored_on_its_side() -> None:
    """Without its Exif orientation it would be shown on its side."""
    rotated = next(picture for picture in PICTURES.values() if picture.kind == "rotated jpeg")
    assert opened(rotated).size == rotated.size[::-1]


def test_the_cut_out_is_partly_transparent() -> None:
    """Its background is transparent, its lenses are partly transparent, its frame is opaque."""
    cut_out = next(picture for picture in PICTURES.values() if picture.kind == "png with alpha")
    levels = {level for _, level in opened(cut_out).getchannel("A").getcolors() or []}
    assert {0, 140, 255} <= levels


def test_display_p3_is_a_profile_with_wider_colours_than_srgb() -> None:
    """Converted to sRGB, a P3 colour looks the same but has other values."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(display_p3_profile()))
    assert ImageCms.getProfileDescription(profile).strip() == "Display P3"
    patches = Image.new("RGB", (2, 1))
    patches.putdata([(255, 255, 255), (200, 100, 50)])
    converted = ImageCms.profileToProfile(patches, profile, ImageCms.createProfile("sRGB"))
    assert converted is not None
    white, orange = converted.getpixel((0, 0)), converted.getpixel((1, 0))
    assert white == (255, 255, 255)
    assert orange == pytest.approx((215, 93, 31), abs=2)


def test_the_upload_has_the_official_shape() -> None:
    """Two or three URLs in one quoted cell, on one line per product."""
    header, *rows = csv.reader(io.StringIO(catalogue_csv("http://127.0.0.1:9/pictures")))
    assert header == ["S. No.", "Product Name", "Input Image Urls"]
    assert [row[1] for row in rows] == list(CATALOGUE)
    assert [len(row[2].split(",")) for row in rows] == [len(pictures) for pictures in CATALOGUE.values()]
    assert rows[0][2].startswith("http://127.0.0.1:9/pictures/mug-front.jpg,")
