"""`quality=smart`: never larger than the plain rendition, and not visibly worse."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from ssimulacra2 import compute_ssimulacra2

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress
from imgproc.pipeline.images.encoders import libjpeg, smart
from imgproc.pipeline.images.encoders.likeness import distance, layers
from tests.support.photographs import decode, encode, photo, quadrants


def product() -> Image.Image:
    """A product on white: a shape with an outline and a gradient."""
    picture = Image.new("RGB", (600, 600), "white")
    ImageDraw.Draw(picture).ellipse((120, 90, 480, 510), fill=(40, 90, 150), outline=(20, 40, 80), width=12)
    picture.paste(Image.linear_gradient("L").resize((200, 80)), (200, 240))
    return picture


COLOURS: list[str | tuple[int, int, int]] = ["black", (200, 0, 0), (0, 60, 160)]


def lettering() -> Image.Image:
    """Lines of black, red and blue letters."""
    picture = Image.new("RGB", (600, 480), "white")
    for line, colour in enumerate(COLOURS * 5):
        place = (10, 6 + 31 * line)
        ImageDraw.Draw(picture).text(place, "Sale: the quick brown fox", fill=colour, font=ImageFont.load_default(24))
    return picture


def transparent() -> Image.Image:
    """A photograph with waves of transparency."""
    picture = photo("rocket")
    rows, columns = np.mgrid[0 : picture.height, 0 : picture.width]
    picture.putalpha(Image.fromarray(np.uint8(127 * (1 + np.sin(columns / 9) * np.cos(rows / 7)))))
    return picture


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "a photograph": lambda: photo("astronaut"),
    "a sharp photograph": lambda: photo("coffee"),
    "a photograph in grey": lambda: photo("chelsea").convert("L"),
    "a product on white": product,
    "lettering": lettering,
    "a gradient": lambda: Image.merge("LA", [Image.linear_gradient("L"), Image.radial_gradient("L")]).convert("RGB"),
    "transparency": transparent,
    "an opaque picture with transparency": lambda: quadrants("RGBA"),
    "one colour": lambda: Image.new("RGB", (300, 200), (220, 120, 40)),
    "one pixel": lambda: Image.new("RGB", (2, 2), "red"),
    "one row": lambda: photo("coffee").crop((0, 100, 600, 101)),
    "noise": lambda: Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)),
}  # fmt: skip
SMART = {"quality": "smart"}
PHOTOGRAPHS = ["astronaut", "coffee", "chelsea", "rocket"]


def run(source: bytes, **options: Any) -> Rendition:
    """Compress with the default options, except those given."""
    return compress(source, options=CompressOptions(**options), max_pixels=50_000_000)


def likeness(one: Image.Image, other: Image.Image, folder: Path) -> float:
    """SSIMULACRA 2 of both pictures on white: 100 is identical, 60 is fair. The search does not use it."""
    for name, picture in (("one", one), ("other", other)):
        white = Image.new("RGBA", picture.size, "white")
        Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB").save(folder / f"{name}.png")
    return float(compute_ssimulacra2(str(folder / "one.png"), str(folder / "other.png")))


@pytest.fixture(scope="module", params=PICTURES)
def source(request: pytest.FixtureRequest) -> bytes:
    """Each picture as a PNG."""
    return encode(PICTURES[request.param](), "PNG")


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
def test_is_never_larger_than_plain(source: bytes, target: str) -> None:
    """The smart rendition has the same format and size, and at most as many bytes."""
    plain, smart = run(source, format=target), run(source, format=target, quality="smart")
    assert smart.output.bytes == len(smart.body) <= len(plain.body)
    assert (smart.output.width, smart.output.height) == (plain.output.width, plain.output.height)
    assert decode(smart.body).format == decode(plain.body).format
    assert decode(smart.body).size == decode(plain.body).size


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", ["jpeg", "webp", "avif"])
def test_photographs_are_smaller_and_look_no_worse(target: str, tmp_path: Path) -> None:
    """Each scores at most two points below its plain rendition, a JPEG not below it; on average the score is not lower.

    The bytes of each JPEG are compared with those of a JPEG with the standard Huffman tables, which plain ones lack.
    """
    gains, sizes = [], []
    for name in PHOTOGRAPHS:
        source = encode(photo(name), "PNG")
        made = [run(source, **how).body for how in ({"format": "png"}, {"format": target}, SMART | {"format": target})]
        reference, plain, smart = map(decode, made)
        gains.append(likeness(reference, smart, tmp_path) - likeness(reference, plain, tmp_path))
        usual = encode(reference, "JPEG", quality=50) if target == "jpeg" else made[1]
        sizes.append(len(made[2]) / len(usual))
    assert min(gains) > (0 if target == "jpeg" else -2)
    assert mean(gains) >= 0
    assert max(sizes) <= 0.85 if target == "jpeg" else mean(sizes) <= 1


@pytest.mark.parametrize("name", ["camera", "grass", "hubble_deep_field"])
def test_what_coarser_tables_spoil_gets_finer_ones(name: str, tmp_path: Path) -> None:
    """Pictures in grey and stars would lose 3 to 5 points."""
    source = encode(photo(name), "PNG")
    made = [run(source, **how).body for how in ({"format": "png"}, {}, SMART)]
    reference, plain, smart = map(decode, made)
    assert likeness(reference, smart, tmp_path) > likeness(reference, plain, tmp_path) - 1
    assert len(made[2]) < len(made[1])


def test_png_stays_lossless(source: bytes) -> None:
    """The PNG may have fewer channels or a palette, but has the same pixels."""
    plain, smart = (decode(run(source, format="png", quality=how).body).convert("RGBA") for how in (50, "smart"))
    assert smart.tobytes() == plain.tobytes()


def test_png_of_few_colours_gets_a_palette() -> None:
    """A palette takes eight bits a pixel instead of 24."""
    source = encode(quadrants().resize((640, 320), Image.Resampling.NEAREST), "PNG")
    assert decode(run(source, format="png", quality="smart", scale=1.0).body).mode == "P"


@pytest.mark.parametrize("target", ["jpeg", "webp", "avif", "png"])
def test_says_how_much_it_looks_like_the_picture(target: str) -> None:
    """By the measure of the search, which a PNG has no need of."""
    source = encode(photo("coffee"), "PNG")
    made = run(source, format=target, quality="smart")
    reference = layers(decode(run(source, format="png").body))
    assert made.likeness == pytest.approx(1 - distance(reference, layers(Image.open(io.BytesIO(made.body)))), abs=1e-6)
    assert run(source, format=target).likeness == (1.0 if target == "png" else None)


def test_the_pixels_of_the_source_are_wholly_alike() -> None:
    """The output has these pixels, so its likeness is 1."""
    source = encode(photo("coffee"), "JPEG", quality=20)
    kept = run(source, scale=1.0, quality=90, larger="source")
    assert (kept.kept, kept.likeness) == (True, 1.0)


def test_transparency_is_kept() -> None:
    """The search compares transparency as well."""
    for target in ("webp", "avif"):
        made = decode(run(encode(transparent(), "PNG"), format=target, quality="smart").body)
        wanted = decode(run(encode(transparent(), "PNG"), format="png").body)
        difference = np.asarray(made.getchannel("A"), dtype=float) - np.asarray(wanted.getchannel("A"), dtype=float)
        assert abs(difference).mean() < 3


def test_the_rendition_has_no_metadata() -> None:
    """Neither encoder writes a comment, a profile or Exif."""
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    body = run(encode(photo("coffee"), "JPEG", exif=exif, comment=b"secret"), quality="smart").body
    assert decode(body).info.keys() <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
        "progressive",
        "progression",
    }
    assert not {b"secret", b"camera", b"Exif"} & {word for word in (b"secret", b"camera", b"Exif") if word in body}


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", ["webp", "avif"])
def test_a_few_probes_are_enough(monkeypatch: pytest.MonkeyPatch, source: bytes, target: str) -> None:
    """The search encodes at most five times besides the plain rendition."""
    qualities: list[int] = []
    encoder, first = smart.STRONGER[target]

    def note(picture: Image.Image, quality: int) -> bytes:
        qualities.append(quality)
        return encoder(picture, quality)

    monkeypatch.setitem(smart.STRONGER, target, (note, first))
    run(source, quality="smart", format=target)
    assert 1 <= len(qualities) == len(set(qualities)) <= 5


def test_a_huge_picture_is_encoded_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search would take too much memory."""
    monkeypatch.setattr(smart, "SEARCHED_PIXELS", 1000)
    source = encode(photo("coffee"), "PNG")
    assert run(source, quality="smart").body == run(source).body


def test_another_libjpeg_keeps_the_usual_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow cannot be linked to one that we know; the plain file is packed."""
    source = encode(photo("coffee"), "PNG")
    usual = run(source).body
    for module in (smart, libjpeg):
        monkeypatch.setattr(module, "is_available", lambda: False)
    made = run(source, quality="smart").body
    assert decode(made).tobytes() == decode(usual).tobytes()
    assert len(made) < len(usual)


@pytest.mark.parametrize("target", ["jpeg", "webp"])
@pytest.mark.parametrize("fault", [CompressError("No.", code="encode_failed"), MemoryError()])
def test_a_search_that_fails_costs_nothing(monkeypatch: pytest.MonkeyPatch, fault: Exception, target: str) -> None:
    """The plain rendition is the fallback."""

    def fail(*_picture_and_quality: object) -> bytes:
        raise fault

    monkeypatch.setitem(smart.STRONGER, "webp", (fail, 57))
    monkeypatch.setattr(smart, "encode_strong", fail)
    source = encode(photo("coffee"), "PNG")
    assert run(source, quality="smart", format=target).body == run(source, format=target).body


def test_threads_make_the_same_bytes() -> None:
    """The search keeps no state between pictures."""
    sources = [encode(photo(name), "PNG") for name in PHOTOGRAPHS] * 2
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda source: run(source, quality="smart").body, sources))
    assert at_once == [run(source, quality="smart").body for source in sources[:4]] * 2


# The distance measure


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("target", ["JPEG", "WEBP"])
def test_the_distance_falls_as_quality_rises(name: str, target: str) -> None:
    """The distance of a picture to itself is 0, and grows as quality falls."""
    reference = layers(photo(name))
    bodies = [encode(photo(name), target, quality=quality) for quality in (95, 80, 60, 40, 20, 5)]
    distances = [distance(reference, layers(Image.open(io.BytesIO(body)))) for body in bodies]
    assert distance(reference, reference) == 0
    assert distances[0] > 0
    assert distances == sorted(distances)


def test_the_distance_includes_colour_and_transparency() -> None:
    """With brightness alone, the search could drop colour and transparency."""
    plain = photo("coffee")
    luma, *chroma = plain.convert("YCbCr").split()
    grey = Image.merge("YCbCr", [luma, *(each.point(lambda level: 128) for each in chroma)]).convert("RGB")
    assert distance(layers(plain), layers(grey)) > distance(
        layers(plain), layers(decode(encode(plain, "JPEG", quality=50)))
    )
    half_clear = transparent()
    opaque = half_clear.copy()
    opaque.putalpha(255)
    assert distance(layers(half_clear), layers(opaque)) > 0.1
