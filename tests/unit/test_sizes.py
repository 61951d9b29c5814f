"""maxWidth, maxHeight and minSide bound the displayed sides in pixels, in the same pass as the scale."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import ExifTags, Image

from imgproc.core.errors import InvalidOption
from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress
from imgproc.pipeline.images.sizes import factor_of, scaled_size
from tests.support.photographs import decode, encode, photo, psnr


def run(source: bytes, **options: Any) -> Rendition:
    """Compress with the default options, except those given; the file has the size that the facts say."""
    made = compress(source, options=CompressOptions(**options), max_pixels=50_000_000)
    assert decode(made.body).size == (made.output.width, made.output.height)
    return made


@pytest.mark.parametrize(
    ("source", "options", "size"),
    [
        ((2000, 1000), {}, (1000, 500)),
        ((2000, 1000), {"max_width": 400}, (400, 200)),
        ((2000, 1000), {"max_height": 400}, (800, 400)),
        ((2000, 1000), {"max_width": 400, "max_height": 100}, (200, 100)),
        ((2000, 1000), {"max_width": 1500}, (1000, 500)),
        ((2000, 1000), {"max_width": 1500, "scale": 1.0}, (1500, 750)),
        ((2000, 1000), {"max_width": 3000, "scale": 1.0}, (2000, 1000)),
        ((2001, 1001), {"max_width": 2000, "scale": 1.0}, (2000, 1000)),
        ((900, 900), {"min_side": 500}, (500, 500)),
        ((900, 700), {"min_side": 500}, (643, 500)),
        ((1100, 1200), {"min_side": 500}, (550, 600)),
        ((400, 900), {"min_side": 500}, (400, 900)),
        ((4000, 1000), {"min_side": 500, "max_width": 1000}, (2000, 500)),
        ((4000, 4000), {"min_side": 500, "max_width": 1000}, (1000, 1000)),
        ((5000, 1), {"max_width": 10}, (10, 1)),
        ((1, 1), {"max_width": 1, "min_side": 1}, (1, 1)),
        *[((side, 3 * side), {"max_width": 331, "scale": 1.0}, (331, 993)) for side in range(331, 3000, 97)],
        *[((side, 2 * side), {"min_side": 331, "scale": 0.01}, (331, 662)) for side in range(331, 3000, 97)],
    ],
)
def test_the_size_follows_scale_then_the_largest_then_the_smallest(
    source: tuple[int, int], options: dict[str, Any], size: tuple[int, int]
) -> None:
    """The proportions stay, nothing is enlarged, and `minSide` decides."""
    assert scaled_size(source, factor_of(source, CompressOptions(**options))) == size


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("options", [{"max_width": 100}, {"max_height": 150}, {"max_width": 100, "max_height": 149}])
def test_the_sides_are_those_that_are_displayed(image_format: str, options: dict[str, int]) -> None:
    """A picture that its file turns by a quarter is as high as its file is wide."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    made = run(encode(photo("coffee"), image_format, exif=exif), **options)
    assert (made.source.width, made.source.height) == (400, 600)
    width, height = made.output.width, made.output.height
    assert (width, height) == ((100, 150) if options != {"max_width": 100, "max_height": 149} else (99, 149))


def test_an_orientation_after_the_pixels_of_a_png_does_not_count() -> None:
    """Browsers ignore it, and the largest sizes mean the sides that are displayed."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    body = encode(photo("coffee"), "PNG", exif=exif)
    chunk, pixels = body.index(b"eXIf") - 4, body.index(b"IDAT") - 4
    length = 12 + int.from_bytes(body[chunk : chunk + 4], "big")
    end = body.index(b"IEND") - 4
    moved = body[:chunk] + body[chunk + length : end] + body[chunk : chunk + length] + body[end:]
    assert chunk < pixels < moved.index(b"eXIf")
    output = run(moved, scale=1.0, max_width=100).output
    assert (output.width, output.height) == (100, 67)


@pytest.mark.parametrize("most", [75, 190, 225, 301, 375, 450, 599])
def test_looks_like_a_full_decode_at_every_width(most: int) -> None:
    """A JPEG is decoded at eighths for it, as for a scale."""
    made = decode(run(encode(photo("coffee"), "JPEG", quality=95), scale=1.0, max_width=most, format="png").body)
    assert psnr(made, photo("coffee").resize(made.size, Image.Resampling.LANCZOS)) > 30


@pytest.mark.parametrize("name", ["max_width", "max_height", "min_side"])
@pytest.mark.parametrize("value", [0, -1, 65_536])
def test_a_size_out_of_bounds_is_refused(name: str, value: int) -> None:
    """The bounds are those of the upload."""
    with pytest.raises(InvalidOption, match="from 1 to 65535"):
        CompressOptions(**{name: value})  # type: ignore[arg-type]  # the table gives integers


@pytest.mark.parametrize("name", ["max_width", "max_height"])
def test_a_smallest_side_above_the_largest_is_refused(name: str) -> None:
    """No picture could have both."""
    with pytest.raises(InvalidOption, match="give a minSide up to 400"):
        CompressOptions(min_side=500, **{name: 400})  # type: ignore[arg-type]  # the table gives integers
    CompressOptions(min_side=400, **{name: 400})  # type: ignore[arg-type]  # likewise


def test_options_without_the_new_ones_are_stored_as_before() -> None:
    """Requests of earlier versions keep their fingerprints, and their renditions can be reused."""
    assert CompressOptions().as_json() == {"quality": 50, "scale": 0.5, "format": "jpeg"}
    options = CompressOptions(larger="source", max_width=9, max_height=8, min_side=7)
    assert options.as_json().keys() == {"quality", "scale", "format", "larger", "maxWidth", "maxHeight", "minSide"}
    assert CompressOptions.from_json(options.as_json()) == options


# -- notes -----------------------------------------------------------------------------------------------------------


def codes(made: Rendition) -> list[str]:
    """The codes of the notes."""
    return [note.code for note in made.notes]


def test_a_size_that_cannot_be_met_is_noted() -> None:
    """The note has the sizes."""
    source = encode(photo("coffee"), "JPEG")
    assert codes(run(source)) == []
    small = run(source, min_side=500)
    assert codes(small) == ["below_min_side"]
    assert "600 x 400 pixels, less than minSide=500" in small.notes[0].detail
    wide = run(encode(photo("coffee").resize((1200, 300)), "JPEG"), min_side=200, max_width=400)
    assert codes(wide) == ["above_max_size"]
    assert "maxWidth=400 and minSide=200" in wide.notes[0].detail


def tiny(image_format: str, **options: Any) -> bytes:
    """A flat picture in few bytes."""
    return encode(Image.new("RGB", (24, 24), (200, 30, 20)), image_format, **options)


@pytest.mark.parametrize("source_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("target", ["jpeg", "webp", "png", "keep"])
def test_the_picture_of_the_source_stands_in_for_a_larger_output(source_format: str, target: str) -> None:
    """It keeps its format, size and pixels, and loses its metadata; the note says so."""
    source = tiny(source_format, **{"quality": 5} if source_format == "JPEG" else {})
    options: dict[str, Any] = {"format": target, "scale": 1.0, "quality": 95}
    usual, made = run(source, **options), run(source, larger="source", **options)
    if usual.output.bytes <= len(source):
        assert (made.body, codes(made)) == (usual.body, [])
        return
    assert codes(usual) == ["larger_than_source"]
    assert (made.kept, codes(made)) == (True, ["source_kept"])
    assert made.output.format == source_format.lower()
    assert made.content_type == f"image/{source_format.lower()}"
    assert made.output.bytes < usual.output.bytes
    assert decode(made.body).tobytes() == decode(source).tobytes()


NOT_STORED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "a lossy WebP": (tiny("WEBP", quality=1), {}),
    "a GIF": (tiny("GIF"), {"format": "png", "quality": 50}),
    "turned": (
        encode(
            photo("coffee").resize((9, 9)),
            "JPEG",
            quality=1,
            exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0",
        ),
        {},
    ),
    "above maxWidth": (tiny("PNG"), {"max_width": 20}),
}


@pytest.mark.parametrize("name", NOT_STORED)
def test_a_picture_that_cannot_be_stored_as_it_is_keeps_its_output(name: str) -> None:
    """The note says that, too."""
    source, options = NOT_STORED[name]
    made = run(source, **{"scale": 1.0, "quality": 95, "larger": "source", **options})
    assert not made.kept
    assert [code for code in codes(made) if code == "source_kept"] == []
    if made.output.bytes > len(source):
        assert "can be stored in its place" in made.notes[0].detail


def test_smart_quality_keeps_no_source_above_the_largest_size() -> None:
    """It would otherwise be larger than the caller asked for."""
    source = encode(photo("coffee"), "JPEG", quality=8)
    assert run(source, quality="smart", scale=1.0).kept
    made = run(source, quality="smart", scale=1.0, max_width=590)
    assert (made.kept, made.output.width) == (False, 590)


def test_larger_source_changes_no_output_that_is_smaller() -> None:
    """Also with quality smart and another format."""
    source = encode(photo("coffee"), "PNG")
    for quality in (50, "smart"):
        usual, made = run(source, quality=quality), run(source, quality=quality, larger="source")
        assert (made.body, made.output, made.notes) == (usual.body, usual.output, ())
    assert Image.open(io.BytesIO(made.body)).format == "JPEG"
