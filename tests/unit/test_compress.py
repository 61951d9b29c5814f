"""`compress`: every kind of source, every target format, hostile bytes, and the quality of the result."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile

from imgproc.core.errors import CompressError, InvalidOption
from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress, content_type_of
from tests.support.photographs import (
    ADOBE_RGB,
    DISPLAY_P3,
    as_srgb,
    decode,
    encode,
    exif,
    icc_profile,
    photo,
    psnr,
    quadrants,
)

ORANGE = (220, 120, 40)
SOURCES = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}


def run(source: bytes, *, max_pixels: int = 50_000_000, **options: Any) -> Rendition:
    """Compress with the default options, except those given."""
    return compress(source, options=CompressOptions(**options), max_pixels=max_pixels)


def failure(source: bytes, **options: Any) -> CompressError:
    """The error that this source must end in."""
    with pytest.raises(CompressError) as caught:
        run(source, **options)
    return caught.value


def attempt(source: bytes, **options: Any) -> bytes | str:
    """The rendition's bytes, or the code of the error."""
    try:
        return run(source, **options).body
    except CompressError as error:
        return error.code


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """The bands of one pixel of a picture with several bands."""
    bands = image.getpixel((x, y))
    assert isinstance(bands, tuple)
    return bands


def colour_at(image: Image.Image, x: float, y: float) -> tuple[int, ...]:
    """The colour at a place given as fractions of the width and height."""
    return pixel(image.convert("RGB"), int(image.width * x), int(image.height * y))


def near(colour: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 6) -> bool:
    """Whether every channel is within the tolerance of a lossy encoder."""
    return all(abs(one - other) <= tolerance for one, other in zip(colour, expected, strict=True))


# Options


def test_defaults_to_half_size_quality_50_jpeg() -> None:
    """These are the documented defaults."""
    assert CompressOptions() == CompressOptions(quality=50, scale=0.5, format="jpeg")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        pytest.param("quality", 0, id="quality-below"),
        pytest.param("quality", 96, id="quality-above"),
        pytest.param("scale", 0.0, id="scale-zero"),
        pytest.param("scale", -0.5, id="scale-negative"),
        pytest.param("scale", 1.01, id="scale-above"),
        pytest.param("scale", float("nan"), id="scale-nan"),
        pytest.param("scale", float("inf"), id="scale-infinite"),
        pytest.param("format", "gif", id="format-read-only"),
        pytest.param("format", "exe", id="format-unknown"),
    ],
)
def test_refuses_an_option_out_of_range_by_its_name(option: str, value: object) -> None:
    """The error names the wrong option."""
    with pytest.raises(InvalidOption) as caught:
        CompressOptions(**{option: cast("Any", value)})
    assert caught.value.option == option


# Sizes and formats


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        pytest.param((200, 100), 0.5, (100, 50), id="half"),
        pytest.param((201, 103), 0.5, (100, 51), id="half-of-odd-rounds-down"),
        pytest.param((1, 1), 0.5, (1, 1), id="one-pixel"),
        pytest.param((1, 300), 0.5, (1, 150), id="one-wide"),
        pytest.param((300, 1), 0.01, (3, 1), id="one-high"),
        pytest.param((3, 2), 0.5, (1, 1), id="tiny"),
        pytest.param((100, 100), 0.29, (29, 29), id="no-float-error"),
        pytest.param((64, 48), 1.0, (64, 48), id="whole"),
        pytest.param((640, 480), 0.25, (160, 120), id="quarter"),
        pytest.param((999, 333), 0.1, (100, 33), id="tenth"),
    ],
)
@pytest.mark.parametrize("source_format", ["JPEG", "PNG"])
def test_scales_width_and_height(
    source_format: str, size: tuple[int, int], scale: float, expected: tuple[int, int]
) -> None:
    """Each side is rounded to the nearest pixel (a half down), and is at least one pixel."""
    rendition = run(encode(Image.new("RGB", size, ORANGE), source_format), scale=scale)
    assert decode(rendition.body).size == expected
    assert (rendition.output.width, rendition.output.height) == expected
    assert (rendition.source.width, rendition.source.height) == size


@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize("source_format", SOURCES)
def test_converts_every_format_into_every_other(source_format: str, target: str) -> None:
    """Pixels, sizes, content type and extension match the requested format."""
    source = encode(quadrants(), SOURCES[source_format])
    rendition = run(source, format=target, quality=90)
    image = decode(rendition.body)
    assert image.format == SOURCES[target]
    assert image.size == (32, 16)
    assert near(colour_at(image, 0.25, 0.25), (255, 0, 0), 12)
    assert near(colour_at(image, 0.75, 0.75), (255, 255, 0), 12)
    assert rendition.content_type == content_type_of(target) == f"image/{target}"
    assert (rendition.source.format, rendition.source.bytes) == (source_format, len(source))
    assert (rendition.output.format, rendition.output.bytes) == (target, len(rendition.body))


@pytest.mark.parametrize(
    ("source_format", "kept"),
    [
        ("jpeg", "jpeg"),
        ("png", "png"),
        ("webp", "webp"),
        ("avif", "avif"),
        ("gif", "png"),
        ("bmp", "png"),
        ("tiff", "png"),
    ],
)
def test_keep_keeps_the_format_or_becomes_png(source_format: str, kept: str) -> None:
    """GIF, BMP and TIFF become PNG, which is lossless too."""
    rendition = run(encode(quadrants(), SOURCES[source_format]), format="keep")
    assert rendition.output.format == kept


def test_quality_changes_the_bytes() -> None:
    """A higher quality makes a larger file."""
    source = encode(photo("coffee"), "JPEG", quality=95)
    sizes = [run(source, quality=quality).output.bytes for quality in (10, 50, 95)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_noise_encodes_at_every_quality() -> None:
    """Noise compresses worst, and still fits the encoder's buffers."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 2, (600, 600, 3), dtype=np.uint8) * 255)
    source = encode(noise, "PNG")
    for quality in (1, 89, 90, 94, 95):
        assert run(source, quality=quality, scale=1.0).output.width == 600


# Colours and modes


def sixteen_bit(mode: str) -> Image.Image:
    """Mid grey in a mode with more than 8 bits."""
    array: dict[str, Any] = {"I;16": np.full((8, 8), 0x8080, np.uint16), "I": np.full((8, 8), 0x8080, np.int32)}
    floats = np.full((8, 8), 128 / 255, np.float32)
    floats[0, 0] = 1.0
    image = Image.fromarray(array.get(mode, floats))
    assert image.mode == mode
    return image


def transparent_palette() -> Image.Image:
    """Orange in the left half; the right half has the second colour."""
    image = Image.new("P", (64, 64), 0)
    image.putpalette([*ORANGE, 0, 0, 0])
    image.paste(1, (32, 0, 64, 64))
    return image


GREY = (128, 128, 128)
CMYK_ORANGE = Image.new("RGB", (64, 64), ORANGE).convert("CMYK")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(encode(Image.new("L", (64, 64), 128), "PNG"), GREY, id="grey-png"),
        pytest.param(encode(Image.new("L", (64, 64), 128), "JPEG"), GREY, id="grey-jpeg"),
        pytest.param(encode(Image.new("1", (64, 64), 1), "PNG"), (255, 255, 255), id="one-bit"),
        pytest.param(encode(Image.new("RGB", (64, 64), ORANGE).quantize(4), "PNG"), ORANGE, id="palette-png"),
        pytest.param(encode(Image.new("RGB", (64, 64), ORANGE).quantize(4), "GIF"), ORANGE, id="palette-gif"),
        pytest.param(encode(Image.new("RGB", (64, 64), ORANGE).quantize(4), "BMP"), ORANGE, id="palette-bmp"),
        pytest.param(encode(CMYK_ORANGE, "JPEG", quality=95), ORANGE, id="cmyk-jpeg-adobe-inverted"),
        pytest.param(encode(CMYK_ORANGE, "TIFF"), ORANGE, id="cmyk-tiff"),
        pytest.param(encode(Image.new("RGB", (64, 64), ORANGE).convert("YCbCr"), "TIFF"), ORANGE, id="ycbcr-tiff"),
        pytest.param(encode(Image.new("RGB", (64, 64), ORANGE).convert("LAB"), "TIFF"), ORANGE, id="lab-tiff"),
        pytest.param(encode(sixteen_bit("I;16"), "PNG"), GREY, id="16-bit-png"),
        pytest.param(encode(sixteen_bit("I;16"), "TIFF"), GREY, id="16-bit-tiff"),
        pytest.param(encode(sixteen_bit("I"), "TIFF"), GREY, id="32-bit-tiff"),
        pytest.param(encode(sixteen_bit("F"), "TIFF"), GREY, id="float-tiff"),
        pytest.param(encode(Image.new("RGBA", (64, 64), (*ORANGE, 255)), "PNG"), ORANGE, id="opaque-rgba"),
        pytest.param(encode(Image.new("RGBA", (64, 64), (*ORANGE, 0)), "PNG"), (255, 255, 255), id="clear-rgba"),
        pytest.param(encode(Image.new("RGBA", (64, 64), (0, 0, 0, 128)), "WEBP"), (127, 127, 127), id="half-rgba"),
        pytest.param(encode(Image.new("LA", (64, 64), (0, 0)), "PNG"), (255, 255, 255), id="clear-grey"),
        pytest.param(encode(Image.new("RGB", (64, 64), ORANGE), "PNG", transparency=ORANGE), (255,) * 3, id="key-rgb"),
        pytest.param(encode(Image.new("L", (64, 64), 9), "PNG", transparency=9), (255,) * 3, id="key-grey"),
        pytest.param(encode(photo("astronaut").convert("RGB"), "TIFF", compression="jpeg"), None, id="jpeg-in-tiff"),
        pytest.param(encode(photo("astronaut"), "TIFF", compression="tiff_lzw"), None, id="lzw-tiff"),
        pytest.param(encode(photo("astronaut"), "JPEG", progressive=True), None, id="progressive-jpeg"),
    ],
)
def test_reads_every_mode_correctly(source: bytes, expected: tuple[int, ...] | None) -> None:
    """The colour stays the same in every mode; transparency becomes white in a JPEG."""
    image = decode(run(source, quality=95).body)
    if expected is None:
        reference = photo("astronaut").resize(image.size, Image.Resampling.LANCZOS)
        assert psnr(image, reference) > 30
    else:
        assert near(colour_at(image, 0.5, 0.5), expected)


@pytest.mark.parametrize("target", ["webp", "avif", "png"])
@pytest.mark.parametrize("source_format", ["PNG", "GIF"])
def test_keeps_transparency_where_the_format_has_it(source_format: str, target: str) -> None:
    """The transparent half stays transparent, and the opaque half opaque."""
    rendition = run(encode(transparent_palette(), source_format, transparency=1), format=target, quality=90)
    alpha = decode(rendition.body).convert("RGBA").getchannel("A")
    assert alpha.getpixel((4, 16)) == 255
    assert alpha.getpixel((28, 16)) == 0


def test_does_not_bleed_hidden_colours_into_edges() -> None:
    """The colour of transparent pixels has no weight when they are averaged with opaque ones."""
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (31, 0, 64, 64))
    darkest, _ = cast("tuple[int, int]", decode(run(encode(image, "PNG"), quality=95).body).convert("L").getextrema())
    assert darkest > 250


@pytest.mark.parametrize(
    "primaries", [pytest.param(DISPLAY_P3, id="display-p3"), pytest.param(ADOBE_RGB, id="adobe-rgb")]
)
@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("source_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_shows_wide_gamut_photos_in_their_own_colours(
    source_format: str, target: str, primaries: tuple[tuple[float, float, float], ...]
) -> None:
    """The values are converted to sRGB; the expected values come from the definitions of the colour spaces."""
    source = Image.new("RGB", (64, 64), ORANGE)
    best: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
    options = best.get(source_format, {})
    body = run(
        encode(source, source_format, icc_profile=icc_profile(primaries), **options), quality=95, format=target
    ).body
    expected = as_srgb(ORANGE, primaries)
    assert not near(ORANGE, expected, 10)
    assert near(colour_at(decode(body), 0.5, 0.5), expected)
    assert "icc_profile" not in decode(body).info


def test_converts_colours_of_pictures_with_transparency() -> None:
    """The colours of a wide-gamut picture are converted, and its alpha is kept."""
    source = encode(Image.new("RGBA", (64, 64), (*ORANGE, 90)), "PNG", icc_profile=icc_profile(DISPLAY_P3))
    colour = decode(run(source, format="png").body).getpixel((9, 9))
    assert isinstance(colour, tuple)
    assert near(colour, (*as_srgb(ORANGE, DISPLAY_P3), 90))


SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(SRGB_PROFILE, id="srgb"),
        pytest.param(b"not a profile", id="junk"),
        pytest.param(SRGB_PROFILE[:200], id="truncated"),
        pytest.param(icc_profile(DISPLAY_P3).replace(b"RGB XYZ", b"CMYKXYZ"), id="another-colour-space"),
        pytest.param(icc_profile(DISPLAY_P3) + bytes(5 * 1024 * 1024), id="huge"),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_ignores_an_srgb_or_unusable_profile(mode: str, profile: bytes) -> None:
    """An sRGB profile changes nothing, and a broken or foreign profile is ignored."""
    plain = Image.new("RGB", (64, 64), ORANGE).convert(mode)
    with_profile = run(encode(plain, "JPEG", icc_profile=profile, quality=95))
    assert with_profile.body == run(encode(plain, "JPEG", quality=95)).body


# Orientation, metadata, frames

# Where the file's red, green, blue and yellow quadrants are seen: top left, top right, bottom left, bottom right.
SEEN = {1: "rgby", 2: "gryb", 3: "ybgr", 4: "byrg", 5: "rbgy", 6: "bryg", 7: "ygbr", 8: "gyrb"}
COLOURS = {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255), "y": (255, 255, 0)}


@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize("source_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_turns_the_picture_upright(source_format: str, orientation: int) -> None:
    """All eight Exif orientations are applied; the reported size is that of the displayed picture."""
    rendition = run(encode(quadrants(), source_format, exif=exif(orientation)), quality=95)
    image = decode(rendition.body)
    size = (32, 16) if orientation < 5 else (16, 32)
    assert image.size == size == (rendition.source.width // 2, rendition.source.height // 2)
    corners = [colour_at(image, x, y) for y in (0.25, 0.75) for x in (0.25, 0.75)]
    for colour, name in zip(corners, SEEN[orientation], strict=True):
        assert near(colour, COLOURS[name], 40), (orientation, corners)


@pytest.mark.parametrize(
    "block",
    [b"", b"Exif\0\0", b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff", exif(6)[:20], exif(9), exif(0), exif(60000)],
)
def test_survives_broken_exif(block: bytes) -> None:
    """Without a readable orientation the picture counts as upright."""
    assert run(encode(quadrants(), "JPEG", exif=block)).output.width == 32


@pytest.mark.parametrize("source_format", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("kind", "count", "packed", "width"),
    [
        pytest.param(3, 1, "HH", 32, id="short"),
        pytest.param(3, 2, "HH", 64, id="two-shorts"),
        pytest.param(4, 1, "I", 64, id="long"),
        pytest.param(8, 1, "hh", 64, id="signed-short"),
        pytest.param(9, 1, "i", 64, id="signed-long"),
        pytest.param(1, 1, "Bxxx", 64, id="byte"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_of_another_type_does_not_count(
    order: str, kind: int, count: int, packed: str, width: int, source_format: str
) -> None:
    """Browsers turn a picture only by a single number of 16 bits, which the standard asks for."""
    value = struct.pack(order + packed, *(6, 0)[: len(packed.rstrip("x"))])
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IHHHI", 8, 1, 0x112, kind, count)
    assert run(encode(quadrants(), source_format, exif=b"Exif\0\0" + block + value + bytes(4))).source.width == width


@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("source_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_drops_all_metadata(source_format: str, scale: float, target: str) -> None:
    """The rendition has no Exif, XMP, comment, resolution or profile."""
    profile = icc_profile(DISPLAY_P3)
    extra = {"exif": exif(1), "icc_profile": profile, "xmp": b"<x>secret place</x>", "comment": b"secret place"}
    body = run(encode(quadrants(), source_format, **extra), scale=scale, format=target).body
    image = decode(body)
    assert not image.info.keys() & {"exif", "icc_profile", "xmp", "comment", "dpi", "XML:com.adobe.xmp"}
    assert b"a camera" not in body
    assert b"secret place" not in body


@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("source_format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_takes_the_first_frame(source_format: str, scale: float, target: str) -> None:
    """Later frames and pages are dropped."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in (ORANGE, (0, 0, 255), (0, 255, 0))]
    source = encode(frames[0], source_format, save_all=True, append_images=frames[1:])
    image = decode(run(source, scale=scale, format=target, quality=95).body)
    assert getattr(image, "n_frames", 1) == 1
    assert near(colour_at(image, 0.5, 0.5), ORANGE, 12)


# Visual quality


@pytest.mark.exhaustive
@pytest.mark.parametrize("scale", [0.8, 0.5, 0.35, 0.25, 0.125, 0.07])
@pytest.mark.parametrize("source_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_looks_like_a_full_decode_resized_by_lanczos(name: str, source_format: str, scale: float) -> None:
    """The shortcuts (decoding at a smaller size, averaging blocks) are invisible; some photos have odd sizes."""
    source = encode(photo(name), source_format, **({"quality": 95} if source_format == "JPEG" else {}))
    image = decode(run(source, scale=scale, format="png").body)
    reference = decode(source).resize(image.size, Image.Resampling.LANCZOS)
    assert psnr(image, reference) > 35


# Refusals


def chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk (RFC 2083, 3.2)."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG with these chunks and too little image data; its header may be false."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + rest


def gif(screen: tuple[int, int], frame: tuple[int, int]) -> bytes:
    """A GIF whose one frame may be larger than its screen."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00;"


def scan_bomb() -> bytes:
    """A progressive JPEG that repeats its last scan, a few bytes for any number of blocks, 200 times."""
    whole = encode(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * 200 + whole[-2:]


WEBP_HEADER = b"RIFF\xf8\x03\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\xff\xff\xff\xff\0\0\0" + bytes(1000)
PHOTO = encode(photo("coffee").resize((96, 64)), "JPEG")
BOMB = zlib.compress(bytes(20_000_000), 9)


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        pytest.param(b"", "not_an_image", "empty", id="empty"),
        pytest.param(b"<!DOCTYPE html><html><p>404", "not_an_image", "HTML page", id="html"),
        pytest.param(b"\xef\xbb\xbf\n <HTML><body>", "not_an_image", "HTML page", id="html-bom"),
        pytest.param(b"<html><input name=p type='password'>", "not_an_image", "login form", id="login"),
        pytest.param(b"<?xml version='1.0'?><Error/>", "not_an_image", "XML", id="xml"),
        pytest.param(b'{"error": "gone"}', "not_an_image", "JSON", id="json"),
        pytest.param(b"%PDF-1.7\n%\xff", "not_an_image", "PDF", id="pdf"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0", "not_an_image", "PostScript", id="eps"),
        pytest.param(b"PK\x03\x04" + bytes(30), "not_an_image", "ZIP", id="zip"),
        pytest.param(b"\x1f\x8b\x08" + bytes(9), "not_an_image", "gzip", id="gzip"),
        pytest.param(b"\0\0\0\x18ftypisom" + bytes(12), "not_an_image", "video", id="mp4"),
        pytest.param(b"Not Found", "not_an_image", "plain text", id="text"),
        pytest.param(b"BMW dealers near you", "not_an_image", "plain text", id="text-like-bmp"),
        pytest.param(b"\x93\xf2\x01\x77" * 9, "not_an_image", "no known kind", id="noise"),
        pytest.param(b"<" * 70_000, "not_an_image", "XML", id="angle-brackets"),
        pytest.param(b"<?xml >" * 9_000, "not_an_image", "XML", id="endless-xml-prologue"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported_format", "JPEG XL", id="jpeg-xl"),
        pytest.param(b"PF\n2 2\n-1.0\n" + bytes(48), "unsupported_format", "PFM", id="pfm"),
        pytest.param(scan_bomb(), "unsupported_format", "scans", id="scan-bomb"),
        pytest.param(png(2**31 - 1, 2**31 - 1), "too_many_pixels", "limit", id="png-header"),
        pytest.param(gif((65535, 65535), (1, 1)), "too_many_pixels", "limit", id="gif-screen"),
        pytest.param(gif((1, 1), (65535, 65535)), "too_many_pixels", "smaller", id="gif-frame"),
        pytest.param(WEBP_HEADER, "too_many_pixels", "smaller", id="webp-canvas"),
        pytest.param(PHOTO[: len(PHOTO) // 2], "truncated_image", "ends too early", id="half-a-jpeg"),
        pytest.param(encode(quadrants(), "WEBP")[:-10], "truncated_image", "ends too early", id="cut-webp"),
        pytest.param(encode(quadrants(), "AVIF")[:-10], "truncated_image", "ends too early", id="cut-avif"),
        pytest.param(encode(quadrants(), "BMP")[:-10], "truncated_image", "ends too early", id="cut-bmp"),
        pytest.param(encode(quadrants(), "TIFF")[:-10], "truncated_image", "ends too early", id="cut-tiff"),
        pytest.param(png(9, 9), "truncated_image", "ends too early", id="png-without-its-pixels"),
        pytest.param(b"\xff\xd8\xff\xd9\xff\xd9", "corrupt_image", "damaged", id="junk-jpeg"),
        pytest.param(png(9, 9, chunk(b"zTXt", b"a\0\0" + BOMB)), "truncated_image", "only 3%", id="png-text-bomb"),
        pytest.param(png(9, 9, chunk(b"iCCP", b"a\0\0" + BOMB)), "truncated_image", "only 3%", id="png-profile-bomb"),
    ],
)
def test_explains_why_a_source_cannot_be_used(source: bytes, code: str, says: str) -> None:
    """The error has a stable code, and its detail names the kind of file or the damage."""
    error = failure(source)
    assert (error.code, error.retryable) == (code, False)
    assert says in error.detail


def test_checks_pixels_before_decoding() -> None:
    """The header decides: a picture at the limit passes, one pixel more does not."""
    source = encode(Image.new("RGB", (30, 20)), "PNG")
    assert run(source, max_pixels=600).source.width == 30
    assert failure(source, max_pixels=599).code == "too_many_pixels"


def test_refuses_a_picture_too_large_for_the_target_format() -> None:
    """WebP allows at most 16,383 pixels a side."""
    source = encode(Image.new("L", (20_000, 1)), "PNG")
    assert failure(source, scale=1.0, format="webp").code == "encode_failed"
    assert run(source, scale=1.0, format="jpeg").output.width == 20_000


@pytest.mark.parametrize("source_format", SOURCES)
def test_never_shows_part_of_a_picture(source_format: str) -> None:
    """Every prefix of a file gives the whole picture or a `CompressError`."""
    whole = encode(photo("chelsea").resize((32, 24)), SOURCES[source_format])
    expected = run(whole).body
    for length in range(0, len(whole), 7 if len(whole) > 2000 else 1):
        outcome = attempt(whole[:length])
        assert outcome == expected or outcome in {"truncated_image", "corrupt_image", "not_an_image"}, length


VICTIMS = [
    *(encode(quadrants(), name, exif=exif(6)) for name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")),
    encode(quadrants(), "JPEG", progressive=True, icc_profile=icc_profile(DISPLAY_P3)),
    encode(quadrants("CMYK"), "JPEG"),
    encode(quadrants("P"), "GIF", save_all=True, append_images=[quadrants("P").rotate(180)]),
    encode(quadrants("P"), "PNG", transparency=bytes(9)),
    encode(quadrants(), "PNG", save_all=True, append_images=[quadrants().rotate(180)]),
    encode(quadrants(), "BMP"),
    encode(quadrants(), "TIFF", compression="tiff_deflate", icc_profile=icc_profile(ADOBE_RGB)),
    encode(sixteen_bit("I;16"), "PNG"),
]


@settings(max_examples=400, deadline=None)
@given(
    victim=st.sampled_from(VICTIMS),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=5)), min_size=1, max_size=6),
    header=st.booleans(),
)
def test_damaged_files_end_in_a_rendition_or_a_compress_error(
    victim: bytes, places: list[tuple[float, bytes]], header: bool
) -> None:
    """Overwritten bytes, in the first 200 or anywhere, never crash it and never raise a decoder's own exception."""
    damaged = bytearray(victim)
    for part, junk in places:
        place = int(part * (min(200, len(damaged)) if header else len(damaged)))
        damaged[place : place + len(junk)] = junk
    assert attempt(bytes(damaged), max_pixels=1_000_000) != b""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(png(1, 1, chunk(b"acTL", bytes(8))), id="apng-without-frames"),
        pytest.param(encode(quadrants(), "JPEG", exif=exif(6).replace(b"a camera", b"")), id="exif-value-past-its-end"),
        pytest.param(encode(quadrants(), "PNG", exif=exif(6)[:-9]), id="exif-cut"),
    ],
)
def test_odd_metadata_causes_no_warning(source: bytes, recwarn: pytest.WarningsRecorder) -> None:
    """Pillow's warnings are suppressed, whatever warning filters the process has."""
    assert run(source).output.width >= 1
    assert not recwarn.list


# Threads, timeouts, memory


def test_threads_do_not_affect_each_other() -> None:
    """Two threads make the same bytes as one, also with colour profiles."""
    profiles = [icc_profile(DISPLAY_P3), icc_profile(ADOBE_RGB), SRGB_PROFILE, b"junk"]
    names = ["astronaut", "coffee", "chelsea", "rocket"]
    sources = [
        encode(photo(name), "JPEG", icc_profile=profile) for name, profile in zip(names, profiles, strict=True)
    ] * 4
    expected = [run(source).body for source in sources]
    with ThreadPoolExecutor(2) as threads:
        assert [rendition.body for rendition in threads.map(run, sources)] == expected


def test_a_job_timeout_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """RQ's timeout is an ordinary Exception, and `compress` must not report it as a corrupt image."""

    class JobTimeout(Exception):
        """Like RQ's timeout, raised by a signal handler at any point."""

    def interrupted(image: JpegImageFile) -> None:
        raise JobTimeout

    monkeypatch.setattr(JpegImageFile, "load", interrupted)
    with pytest.raises(JobTimeout):
        run(PHOTO)


def test_running_out_of_memory_is_a_compress_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that gets no memory fails only its image."""

    def starved(image: JpegImageFile) -> None:
        raise MemoryError

    monkeypatch.setattr(JpegImageFile, "load", starved)
    assert failure(PHOTO).code == "too_many_pixels"


@pytest.mark.parametrize("options", [{}, {"format": "keep"}, {"quality": "smart"}], ids=str)
def test_frames_are_counted_only_if_a_source_may_be_kept(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """To count frames Pillow reads the whole GIF and holds the GIL for seconds."""
    monkeypatch.setattr(GifImageFile, "n_frames", property(lambda _: pytest.fail("The frames were counted.")))
    source = encode(photo("coffee"), "GIF")
    assert compress(source, options=CompressOptions(**options), max_pixels=1_000_000).body
