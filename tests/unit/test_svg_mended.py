"""Drawings that librsvg alone would draw otherwise than browsers. The expected pictures are Chromium's."""

from __future__ import annotations

import base64
import io
import re
import struct
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.svg import Svg
from imgproc.pipeline.images.child_process.svg_mend import mended
from imgproc.pipeline.images.child_process.svg_pictures import PIXEL_BYTES
from imgproc.pipeline.images.guards.limits import BYTES_A_PIXEL, decoding_bytes
from tests.support.other_pictures import svg
from tests.support.photographs import encode, exif
from tests.support.rendered import on_white, refused

BROWN, GREEN, WHITE = (200, 100, 50), (0, 128, 0), (255, 255, 255)
RECT = "<rect width='100%%' height='100%%' fill='rgb(200,100,50)' %s/>"
PLAIN = RECT % ""
GREYED = RECT % "style='filter:grayscale(1)'"


def embedded(picture: bytes, kind: str) -> bytes:
    """A drawing that is filled with this picture."""
    data = base64.b64encode(picture).decode()
    image = f"<image href='data:image/{kind};base64,{data}' width='64' height='32' preserveAspectRatio='none'/>"
    return svg(image)


def halves() -> Image.Image:
    """Brown above green."""
    picture = Image.new("RGB", (64, 32), BROWN)
    picture.paste(GREEN, (0, 16, 64, 32))
    return picture


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "avif", "bmp"])
@pytest.mark.parametrize("said", ["png", "jpeg", ""])
def test_shows_embedded_pictures_of_every_kind_of_browsers(kind: str, said: str) -> None:
    """librsvg reads PNG and JPEG, and believes the media type."""
    shown = on_white(embedded(encode(halves(), kind.upper()), said or kind), is_apart=True)
    assert np.abs(shown[:12] - BROWN).max() <= 9
    assert np.abs(shown[20:] - GREEN).max() <= 9


def test_turns_embedded_photographs() -> None:
    """As browsers do by Exif."""
    shown = on_white(embedded(encode(halves(), "JPEG", exif=exif(3), quality=95), "jpeg"), is_apart=True)
    assert np.abs(shown[:12] - GREEN).max() <= 9


@pytest.mark.parametrize("picture", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_leaves_damaged_embedded_pictures_out(picture: bytes) -> None:
    """The rest is drawn."""
    assert (on_white(embedded(picture, "webp"), is_apart=True) == WHITE).all()


def _sized(width: int, height: int) -> bytes:
    """A GIF of a few bytes that claims a size."""
    gif = encode(Image.new("P", (1, 1)), "GIF")
    return gif[:6] + struct.pack("<HH", width, height) + gif[10:]


@pytest.mark.parametrize("count", [1, 2])
def test_refuses_more_embedded_pixels_than_are_converted(count: int) -> None:
    """Left out, they would miss in a rendition that is said to be complete."""
    body = b"".join(embedded(_sized(5000, 5001 if count == 1 else 2501), "gif") for _ in range(count))
    error = refused(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>" + body + b"</svg>")
    assert (error.code, "embedded GIF" in error.detail) == ("too_many_pixels", True)


@pytest.mark.parametrize("error", [MemoryError(), CompressError("rare", code="unsupported_format")])
@pytest.mark.parametrize("place", ["readers.open_image", "compress.compress"])
def test_refuses_embedded_pictures_that_are_not_damaged(
    place: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Browsers would show them."""
    if place == "compress.compress" and isinstance(error, MemoryError):
        error = CompressError("memory", code="too_many_pixels")

    def fail(*_: object, **__: object) -> None:
        raise error

    drawing = embedded(encode(halves(), "WEBP"), "webp")
    monkeypatch.setattr(f"imgproc.pipeline.images.{place}", fail)
    with pytest.raises(CompressError, match="embedded WebP"):
        Svg(io.BytesIO(drawing)).load()


def test_converts_no_picture_before_the_memory_is_held() -> None:
    """Their pixels count as those of the drawing do."""
    image = Svg(io.BytesIO(embedded(encode(halves(), "WEBP"), "webp")))
    plain = Svg(io.BytesIO(embedded(encode(halves(), "PNG"), "png")))
    assert (image.embedded_pixels, plain.embedded_pixels) == (64 * 32, 0)
    assert decoding_bytes(image, b"", factor=1) == 64 * 32 * (BYTES_A_PIXEL + PIXEL_BYTES)
    assert decoding_bytes(plain, b"", factor=1) == 64 * 32 * BYTES_A_PIXEL


@pytest.mark.parametrize("after", ["<!-- </svg> -->", "\n<?x </svg>?>"])
def test_adds_to_the_drawing_and_not_to_comments_behind_it(after: str) -> None:
    """The last end tag in the file may be none."""
    body = svg(PLAIN + GREYED, "width='64' height='32' style='width:9px'") + after.encode()
    shown = on_white(body, is_apart=True)
    assert shown.shape == (32, 64, 3)
    assert np.abs(shown - 118).max() <= 2


@pytest.mark.parametrize(
    "before", [b"\xef\xbb\xbf", b"<?xml version='1.0' encoding='windows-1252'?><!-- \x80\xe4 -->"], ids=["mark", "1252"]
)
def test_adds_at_the_right_byte(before: bytes) -> None:
    """Whatever the encoding, and behind a byte order mark."""
    drawing = before + svg(
        f"<desc>{GREYED.replace('<', '&lt;')}</desc>{GREYED}", "width='9' height='9' style='width:1px'"
    )
    shown = on_white(drawing, is_apart=True)
    assert shown.shape == (9, 9, 3)
    assert np.abs(shown - 118).max() <= 2


@pytest.mark.parametrize("source", [b"<svg filter='blur(1px)'/>", b"<svg filter='blur(1px)'>", b"<!-- </svg> -->"])
def test_leaves_a_drawing_without_an_end_tag(source: bytes) -> None:
    """A reference would lead nowhere."""
    assert mended(source, {"width": 9}) == source


def test_a_drawing_may_have_the_ids_of_other_renditions() -> None:
    """An element that is there already would win."""
    once = mended(svg(GREYED), {})
    name = re.search(rb'id="([^"]+)"', once)
    assert name
    own = f"<filter id='css-filter-0'/><filter id='{name[1].decode()}'/>"
    assert np.abs(on_white(svg(PLAIN + own + GREYED), is_apart=True) - 118).max() <= 2


@pytest.mark.parametrize(
    "body",
    [
        "<text>filter:blur(2px);</text>",
        "<text><![CDATA[filter='blur(2px)']]></text>",
        "<desc>filter:blur(2px);</desc><rect title='>'/>filter:blur(2px);<style/>filter:blur(2px);",
    ],
)
def test_filters_nothing_in_text(body: str) -> None:
    """It is shown as it is."""
    assert mended(svg(body), {}) == svg(body)


def test_filters_where_an_entity_says_it() -> None:
    """Adobe Illustrator writes its styles so."""
    head = '<!DOCTYPE svg [<!ENTITY st0 "fill:rgb(200,100,50);filter:grayscale(1);">]>'
    drawing = head.encode() + svg("<rect width='64' height='32' style='&st0;'/>")
    assert np.abs(on_white(drawing, is_apart=True) - 118).max() <= 2


@pytest.mark.parametrize(
    "drawing",
    [
        svg("<!-- </svg> -->" * 100_000, "width='9' height='9' style='width:1px'"),
        svg(RECT % f"style='filter:blur({'1' * 200_000}x)'"),
        svg(RECT % f"style='filter:hue-rotate({'1' * 200_000}x)'"),
        svg(PLAIN, f"width='{'1' * 200_000}x' height='9'"),
        svg(PLAIN, f"width='{'0' * 200_000}!' height='9'"),
    ],
    ids=["ends", "length", "angle", "width", "zeros"],
)
def test_reads_hostile_drawings_once(drawing: bytes) -> None:
    """Numbers that are none would be tried in every length."""
    with suppress(CompressError, SyntaxError):
        Svg(io.BytesIO(drawing))


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ("width='2rem' height='80Q'", (32, 76)),
        ("width='auto' height='auto' viewBox='0 0 30 20'", (30, 20)),
        ("width='30' height='20' style='width:99px;height:99px'", (30, 20)),
    ],
)
def test_has_the_size_that_browsers_give_it(attributes: str, size: tuple[int, int]) -> None:
    """The attributes count."""
    assert on_white(svg(PLAIN, attributes), is_apart=True).shape[1::-1] == size


def test_a_rule_does_not_change_the_size() -> None:
    """Only the attributes do."""
    assert on_white(svg("<style>svg{width:99px;height:99px}</style>" + PLAIN), is_apart=True).shape == (32, 64, 3)


@pytest.mark.parametrize("hidden", ["display='none'", "style='fill:red;display: none'"])
def test_the_whole_drawing_is_never_hidden(hidden: str) -> None:
    """It would be an empty picture."""
    assert (on_white(svg(PLAIN, f"width='9' height='9' {hidden}"), is_apart=True) == BROWN).all()


def test_counts_children_as_they_are() -> None:
    """What is added comes after them."""
    rules = "<style>svg{width:9px}rect:nth-child(2){fill:#008000}</style>"
    assert (on_white(svg(rules + PLAIN), is_apart=True) == GREEN).all()


def test_draws_points_without_the_last_half() -> None:
    """A coordinate has no partner."""
    assert (on_white(svg("<polygon fill='#008000' points='0,0 64,0 64,32 0,32 9'/>"), is_apart=True) == GREEN).all()


def test_reads_a_drawing_of_16_bits_a_letter() -> None:
    """Some editors of Windows write it, with a declaration."""
    text = "<?xml version='1.0' encoding='UTF-16'?>" + svg(PLAIN).decode()
    assert (on_white(text.encode("utf-16")) == BROWN).all()


@pytest.mark.parametrize(
    ("chain", "shown"),
    [
        ("grayscale(1)", (118, 118, 118)),
        ("grayscale(50%)", (159, 109, 84)),
        ("sepia(1)", (165, 147, 114)),
        ("saturate(2)", (255, 82, 0)),
        ("hue-rotate(180deg)", (36, 136, 186)),
        ("invert(1)", (55, 155, 205)),
        ("brightness(50%)", (100, 50, 25)),
        ("contrast(.5)", (164, 114, 89)),
        ("brightness(0) invert(1)", (255, 255, 255)),
        ("opacity(50%) grayscale(1)", (187, 187, 187)),
        ("BLUR(0PX)  GrayScale()", (118, 118, 118)),
    ],
)
@pytest.mark.parametrize("how", ["style='filter:%s'", "filter='%s'", "sheet"])
def test_filters_colours_as_browsers_do(how: str, chain: str, shown: tuple[int, int, int]) -> None:
    """In sRGB; librsvg knows only some of the functions, in linear light."""
    body = f"<style>rect{{filter: {chain} ;}}</style>{PLAIN}" if how == "sheet" else RECT % (how % chain)
    assert np.abs(on_white(svg(body), is_apart=True) - shown).max() <= 2


@pytest.mark.parametrize("place", ["translate(-5000 -5000)", "scale(.01)"])
def test_filters_what_is_far_from_the_origin(place: str) -> None:
    """A filter of CSS has no edges."""
    shape = "<rect x='5000' y='5000' width='64' height='32' fill='#008000' style='filter:saturate(1)'/>"
    wide = "<rect width='6400' height='3200' fill='#008000' style='filter:saturate(1)'/>"
    body = f"<g transform='{place}'>{wide if 'scale' in place else shape}</g>"
    assert (on_white(svg(body), is_apart=True) == GREEN).all()


def test_blurs_in_srgb() -> None:
    """Between blue and yellow is grey, which is darker than in linear light."""
    parts = "<rect width='32' height='32' fill='#00f'/><rect x='32' width='32' height='32' fill='#ff0'/>"
    shown = on_white(svg(f"<g style='filter:blur(4px)'>{parts}</g>"), is_apart=True)
    assert np.abs(shown[16, 31:33].mean(axis=0) - 127.5).max() <= 6


@pytest.mark.parametrize("chain", ["grayscale(1) url(#a)", "blur(1em)", "grayscale(1)!important", "sepia(x)"])
def test_refuses_filters_that_it_cannot_translate(chain: str) -> None:
    """They would be left out."""
    assert "CSS filter of colours" in refused(svg(RECT % f"style='filter:{chain}'")).detail
