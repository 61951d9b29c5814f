"""Drawings that librsvg alone would draw otherwise than browsers. The expected pictures are Chromium's."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from PIL import Image

from tests.support.other_pictures import svg
from tests.support.photographs import encode, exif
from tests.support.rendered import on_white, refused

BROWN, GREEN, WHITE = (200, 100, 50), (0, 128, 0), (255, 255, 255)
RECT = "<rect width='100%%' height='100%%' fill='rgb(200,100,50)' %s/>"
PLAIN = RECT % ""


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
