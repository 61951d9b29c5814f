"""Thin strokes keep their colour, smooth and small JPEGs get tables of their own, and white stays white."""

from __future__ import annotations

import io
import os
from typing import Any, cast

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat, JpegImagePlugin

from imgproc.pipeline.images.colour.colours import flatten
from imgproc.pipeline.images.compress import CompressOptions, compress
from imgproc.pipeline.images.encoders.avif_grid import encode_grid
from imgproc.pipeline.images.encoders.encode import encode as encode_rendition
from imgproc.pipeline.images.encoders.plain_jpeg import save_jpeg
from imgproc.pipeline.images.encoders.strong_jpeg import encode_strong, repacked
from imgproc.pipeline.images.encoders.thin_colours import has_thin_colours
from imgproc.pipeline.images.guards.cost import CpuTime
from tests.support.photographs import decode, encode, photo, psnr

Bands = tuple[tuple[int, int], ...]  # the darkest and brightest sample of each

RED = (200, 1, 31)
FULL, HALF = 0, 2  # of Pillow's get_sampling


def text(*, size: tuple[int, int] = (500, 400), height: int = 20, fill: Any = RED, on: Any = "white") -> Image.Image:
    """Lines of text."""
    picture = Image.new("RGB", size, on)
    font = ImageFont.load_default(height)
    for top in range(5, size[1], height * 3):
        ImageDraw.Draw(picture).text((10, top), "Sale -50% on every mug today", fill=fill, font=font)
    return picture


def lines(fill: Any, *, across: bool) -> Image.Image:
    """Lines two pixels wide."""
    picture = Image.new("RGB", (400, 400), "white")
    for place in range(5, 400, 20):
        ends = [(0, place), (400, place)] if across else [(place, 0), (place, 400)]
        ImageDraw.Draw(picture).line(ends, fill=fill, width=2)
    return picture


def one_line() -> Image.Image:
    """A line of text on a large white picture."""
    picture = Image.new("RGB", (1000, 1000), "white")
    picture.paste(text(size=(1000, 60), height=40), (0, 480))
    return picture


def disc() -> Image.Image:
    """One large red shape on white."""
    picture = Image.new("RGB", (400, 400), "white")
    ImageDraw.Draw(picture).ellipse((60, 60, 340, 340), fill=RED)
    return picture


THIN = {
    "red text": text(),
    "blue text": text(fill=(0, 20, 200)),
    "green text": text(fill=(0, 150, 20)),
    "yellow text on black": text(fill="yellow", on="black"),
    "white text on red": text(fill="white", on=RED),
    "one line on a large picture": one_line(),
    "small text": text(size=(200, 150), height=12),
    "text above a photograph": text(on=(90, 100, 95)),
    "red lines across": lines(RED, across=True),
    "red lines down": lines(RED, across=False),
    "red text with transparency": text().convert("RGBA"),
    "noise of all colours": Image.frombytes("RGB", (200, 200), os.urandom(120_000)),
}
NOT_THIN = {
    **{name: photo(name) for name in ("astronaut", "coffee", "chelsea", "rocket")},
    "black text": text(fill="black"),
    "pale text": text(fill=(200, 170, 175)),
    "a large red shape": disc(),
    "grey": text().convert("L"),
    "too small for text": text(size=(8, 8)),
    "one pixel": Image.new("RGB", (1, 1), RED),
}


@pytest.mark.parametrize("name", [*THIN, *NOT_THIN])
def test_only_thin_strokes_of_strong_colour_count(name: str) -> None:
    """Photographs at any size, and large shapes, keep colours at half size."""
    picture = (THIN | NOT_THIN)[name]
    assert has_thin_colours(picture) is (name in THIN)
    if name in NOT_THIN and picture.width > 100:
        for side in (700, 320, 160):
            assert not has_thin_colours(picture.resize((side, side * picture.height // picture.width)))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_photographs_have_the_usual_pixels(name: str) -> None:
    """At the default options a JPEG shows what libjpeg-turbo makes of the picture by itself, in fewer bytes."""
    source = encode(photo(name), "JPEG", quality=90)
    made = compress(source, options=CompressOptions(), max_pixels=10**7).body
    plain = usual(decode(compress(source, options=CompressOptions(format="png"), max_pixels=10**7).body))
    assert sampling(made) == HALF
    assert decode(made).tobytes() == decode(plain).tobytes()
    assert len(made) < 0.98 * len(plain)


@pytest.mark.parametrize("options", [{}, {"quality": 80}, {"quality": "smart"}], ids=str)
@pytest.mark.parametrize("target", ["jpeg", "avif", "webp"])
def test_red_text_stays_red(target: str, options: dict[str, Any]) -> None:
    """At half size, as most pictures are made; a photograph has its colours at half the size as before."""
    source = encode(text(size=(1000, 800), height=40), "PNG")
    made = decode(compress(source, options=CompressOptions(format=target, **options), max_pixels=10**7).body)
    wanted = text(size=(1000, 800), height=40).resize((500, 400), Image.Resampling.BOX)
    reds = [at for at in range(500 * 400) if wanted.getpixel((at % 500, at // 500)) == RED]
    assert len(reds) > 100
    pixels = list(zip(*[iter(made.convert("RGB").tobytes())] * 3, strict=True))
    mean = [sum(pixels[at][band] for at in reds) / len(reds) for band in range(3)]
    assert RED[0] - mean[0] < 30
    if target != "webp":  # It has no colours at full size.
        assert max(abs(have - want) for have, want in zip(mean, RED, strict=True)) < 35


def sampling(body: bytes) -> int:
    """How a JPEG's colours are sampled."""
    return JpegImagePlugin.get_sampling(Image.open(io.BytesIO(body)))


def test_only_pictures_that_need_it_get_colours_at_full_size() -> None:
    """Pictures beyond 8 million pixels do not get them, because their strokes are wider."""
    for encoder in (save_by_encode, encode_strong):
        assert [sampling(encoder(picture)) for picture in (text(), photo("coffee"))] == [FULL, HALF]
    assert sampling(save_by_encode(text(size=(4200, 2100), height=60))) == HALF


def save_by_encode(picture: Image.Image) -> bytes:
    """A JPEG of the default quality."""
    return encode_rendition(picture, target="jpeg", quality=50)


# -- Huffman tables --------------------------------------------------------------------------------------------------


def usual(picture: Image.Image, *, quality: int = 50) -> bytes:
    """The JPEG with standard tables."""
    return encode(picture, "JPEG", quality=quality)


def test_smooth_and_small_jpegs_get_tables_of_their_own() -> None:
    """The pixels are the same, in fewer bytes."""
    backdrop = Image.radial_gradient("L").resize((900, 900)).point(lambda level: 250 - level // 4).convert("RGB")
    for picture, most in ((backdrop, 0.5), (photo("coffee").resize((90, 60)), 0.85), (Image.new("L", (400, 400)), 0.5)):
        made = save_jpeg(picture, quality=50)
        assert len(made) < most * len(usual(picture))
        assert decode(made).tobytes() == decode(usual(picture)).tobytes()


@pytest.mark.parametrize("quality", [1, 50, 80, 95])
@pytest.mark.parametrize("side", [1, 8, 60, 200, 400])
def test_noise_of_every_size_is_encoded(side: int, quality: int) -> None:
    """libjpeg gives up if its buffer is too small for a file with tables of its own."""
    noise = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    assert decode(encode_rendition(noise, target="jpeg", quality=quality)).size == (side, side)


# -- white -----------------------------------------------------------------------------------------------------------


def on_white() -> Image.Image:
    """A product on white."""
    picture = Image.new("RGB", (160, 160), "white")
    ImageDraw.Draw(picture).ellipse((20, 20, 80, 80), fill=(120, 60, 30))
    return picture


def darkest(picture: Image.Image) -> int:
    """The darkest sample of the corner where there is nothing but white."""
    corner = picture.convert("RGB").crop((112, 112, 160, 160))
    return min(low for low, _ in corner.getextrema())  # type: ignore[misc]  # of three bands


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("encoder", ["jpeg", "webp"])
def test_white_stays_white_at_every_quality(encoder: str, mode: str) -> None:
    """The encoders themselves make it 254 at a fifth of the qualities, and as little as 248."""
    picture, white = on_white().convert(mode), Image.new(mode, (160, 160), "white")
    for quality in range(1, 96):
        for each in (picture, white):
            body = encode_rendition(each, target=encoder, quality=quality)
            assert darkest(decode(body)) == 255, quality
    assert darkest(decode(repacked(encode_strong(picture)))) == 255


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"quality": 45}, {"quality": 20}, {"quality": "smart"}], ids=str)
@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
def test_a_white_backdrop_is_white_in_every_format(target: str, options: dict[str, Any], mode: str) -> None:
    """From the source to the output."""
    source = encode(on_white().convert(mode).resize((640, 640)), "PNG")
    made = decode(compress(source, options=CompressOptions(format=target, **options), max_pixels=10**7).body)
    corner = made.convert("RGB").crop((200, 200, 312, 312))
    whites = sum(1 for pixel in zip(*[iter(corner.tobytes())] * 3, strict=True) if pixel == (255, 255, 255))
    assert whites == 112 * 112


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("quality", [1, 10, 20, 34, 45, 50, 75, 95])
def test_white_beside_a_photograph_is_white_in_avif(quality: int, mode: str) -> None:
    """The encoder spreads errors of its blocks, of up to 64 pixels, into the white beside them."""
    picture = Image.new("RGB", (320, 320), "white")
    picture.paste(photo("astronaut").resize((200, 150)), (40, 60))
    made = decode(encode_rendition(picture.convert(mode), target="avif", quality=quality))
    parts = [made.convert("RGB").crop(box) for box in ((0, 0, 320, 52), (0, 218, 320, 320), (248, 0, 320, 320))]
    darkest = min(low for part in parts for low, _ in cast("Bands", part.getextrema()))
    assert darkest == 255


def test_avif_with_white_shows_the_rest_as_before() -> None:
    """Its samples of limited range are shown as those of full range are."""
    picture = photo("astronaut").resize((256, 256))
    plain = decode(encode_rendition(picture.copy(), target="avif", quality=90)).convert("RGB")
    picture.paste("white", (0, 0, 64, 64))
    made = decode(encode_rendition(picture, target="avif", quality=90)).convert("RGB")
    rest = (80, 80, 256, 256)
    means = ImageStat.Stat(ImageChops.difference(made.crop(rest), plain.crop(rest))).mean
    assert max(means) < 2


def test_a_large_avif_with_white_says_the_same_of_each_tile() -> None:
    """A picture of tiles has one range, and one white."""
    picture = Image.new("RGB", (2100, 500), "white")
    picture.paste(photo("astronaut").resize((300, 300)), (1000, 100))
    made = decode(encode_grid(picture, quality=50, time=CpuTime(), speed=10)).convert("RGB")
    corner = cast("Bands", made.crop((1400, 0, 2100, 500)).getextrema())
    middle = ImageStat.Stat(ImageChops.difference(made, picture).crop((1000, 100, 1300, 400))).mean
    assert min(low for low, _ in corner) == 255
    assert max(middle) < 8


def test_webp_shows_the_rest_as_before() -> None:
    """Only white is encoded differently; transparency is exact."""
    clear = photo("coffee").convert("RGBA")
    clear.putalpha(Image.radial_gradient("L").resize(clear.size))
    for picture in (photo("coffee"), clear, photo("coffee").convert("L")):
        made = decode(encode_rendition(picture, target="webp", quality=50))
        usual_one = decode(encode(picture, "WEBP", quality=50, method=2))
        assert made.mode == usual_one.mode
        like, usually = (psnr(flatten(each), flatten(picture).convert("RGB")) for each in (made, usual_one))
        assert like > usually - 0.2
        if picture.mode == "RGBA":
            assert made.getchannel("A").tobytes() == picture.getchannel("A").tobytes()
