"""HEIC, JPEG 2000, Photoshop documents, TGA, icons, PNM and SVG: read as they are, or refused in plain words."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.core.metrics import StageSeconds
from imgproc.pipeline import programs
from imgproc.pipeline.images.child_process import apart
from imgproc.pipeline.images.child_process import svg as drawings
from imgproc.pipeline.images.compress import CompressOptions, MemoryBudget, Rendition, compress, content_type_of
from tests.support.other_pictures import bitmap, heic, icon, psd, svg
from tests.support.photographs import DISPLAY_P3, as_srgb, decode, encode, exif, icc_profile, quadrants
from tests.support.picture_bytes import png_chunk
from tests.support.png_pictures import png_of

Colour = tuple[int, ...]
RED, LIME, BLUE, YELLOW, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255), (0, 0, 0)
CORNERS = (RED, LIME, BLUE, YELLOW)  # of `quadrants`
SHADES = tuple((shade,) * 3 for shade in (76, 150, 29, 226))  # of `quadrants` in grey
HALF = Image.new("L", (64, 32), 128)
ON_WHITE = Image.composite(quadrants(), Image.new("RGB", (64, 32), "white"), HALF)
TGA_ALPHA = 17  # where the header of a TGA says how many bits of a pixel are transparency


def run(
    source: bytes, *, memory: MemoryBudget | None = None, max_pixels: int = 50_000_000, **options: Any
) -> Rendition:
    """Compress to a PNG of the source's size, unless the options differ."""
    chosen = CompressOptions(**{"format": "png", "scale": 1, **options})
    return compress(source, options=chosen, max_pixels=max_pixels, memory=memory)


def shown(rendition: Rendition) -> list[str]:
    """The codes of the notes on what is shown; these pictures are so small that most renditions are larger."""
    return [note.code for note in rendition.notes if note.code != "larger_than_source"]


def failure(source: bytes, **options: Any) -> CompressError:
    """The error that this source must end in."""
    with pytest.raises(CompressError) as caught:
        run(source, **options)
    return caught.value


def corners(body: bytes) -> tuple[Colour, ...]:
    """The colours at a quarter of each side from the corners of a picture, by rows, on white."""
    picture = decode(body).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    places = [(x, y) for y in (flat.height // 4, flat.height * 3 // 4) for x in (flat.width // 4, flat.width * 3 // 4)]
    return tuple(flat.getpixel(place) for place in places)  # type: ignore[misc]  # RGB has three bands


def near(colours: tuple[Colour, ...], expected: tuple[Colour, ...], *, tolerance: int = 3) -> bool:
    """Whether all channels are within the tolerance."""
    pairs = zip(colours, expected, strict=True)
    return all(abs(a - b) <= tolerance for one, other in pairs for a, b in zip(one, other, strict=True))


def mixed(colour: Colour, alpha: int) -> Colour:
    """The colour on white."""
    return tuple(round(255 + (shade - 255) * alpha / 255) for shade in colour)


def tga(mode: str = "RGB", *, alpha_bits: int | None = None, **options: Any) -> bytes:
    """The quadrants as a TGA, whose header may claim other bits of transparency."""
    picture = quadrants(mode)
    if "A" in mode:
        picture.putalpha(HALF)
    body = bytearray(encode(picture, "TGA", **options))
    if alpha_bits is not None:
        body[TGA_ALPHA] = body[TGA_ALPHA] & 0xF0 | alpha_bits
    return bytes(body)


def samples(kind: bytes, most: int, *, plain: bool = False) -> bytes:
    """Red, lime, blue and yellow as a PPM of 2 x 2 with this largest sample."""
    shades = [shade * most // 255 for colour in CORNERS for shade in colour]
    body = (
        b" ".join(b"%d" % shade for shade in shades)
        if plain
        else struct.pack(f">12{'H' if most > 255 else 'B'}", *shades)
    )
    return kind + b"\n# a comment\n2 2\n%d\n" % most + body


def pam(depth: int, kind: bytes, pixel: bytes) -> bytes:
    """A PAM of 2 x 2 equal pixels."""
    return b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH %d\nMAXVAL 255\nTUPLTYPE %s\nENDHDR\n" % (depth, kind) + pixel * 4


def dib(bits: int, pixel: bytes, *, mask: bytes = bytes(16)) -> bytes:
    """A bitmap of 4 x 4 equal pixels, as icons have it."""
    palette = b"\0\0\0\0\0\0\xff\0" if bits == 1 else b""
    return bitmap(4, 4, pixel * 16, bits=bits, mask=mask, palette=palette)


def _with_masks(size: int, compression: int, alpha: int) -> bytes:
    """An icon of half transparent red, whose header of `size` bytes has masks, or is followed by them."""
    head, pixels = dib(32, b"")[:40], b"\0\0\xff\x80" * 16 + bytes(16)
    head = struct.pack("<I", size) + head[4:16] + struct.pack("<I", compression) + head[20:]
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, alpha)
    return icon((head + masks).ljust(size, b"\0") + pixels if size > 40 else head + masks[:12] + pixels)


def _upside_down(bitmap: bytes) -> bytes:
    """The bitmap with a height below 0, so that its first row is the one at the top."""
    return bitmap[:8] + struct.pack("<i", -int.from_bytes(bitmap[8:12], "little")) + bitmap[12:]


def solid(size: tuple[int, int], colour: Colour) -> bytes:
    """A PNG of one colour."""
    return encode(Image.new("RGB", size, colour), "PNG")


RED_WHITE = bytes.fromhex("c0000000") * 4  # a mask that hides the left half of four pixels
PICTURES: dict[str, tuple[Callable[[], bytes], tuple[Colour, ...]]] = {
    # HEIC
    "a HEIC": (lambda: heic(quadrants()), CORNERS),
    "a HEIC of a grid": (lambda: heic(quadrants().resize((640, 576), 0), tile_size=256), CORNERS),
    "a HEIC of greys": (lambda: heic(quadrants("L")), SHADES),
    "a HEIC turned by a quarter": (lambda: heic(quadrants(), exif=exif(6)), (BLUE, RED, YELLOW, LIME)),
    "a HEIC that is mirrored": (lambda: heic(quadrants(), exif=exif(2)), (LIME, RED, YELLOW, BLUE)),
    "a HEIC turned and mirrored": (lambda: heic(quadrants(), exif=exif(5)), (RED, BLUE, LIME, YELLOW)),
    "a HEIC of another brand": (lambda: heic(quadrants()).replace(b"ftypheix", b"ftypmif1", 1), CORNERS),
    "a HEIC of odd sides": (lambda: heic(quadrants().resize((127, 63), 0), chroma=420), CORNERS),
    # JPEG 2000
    "a JP2": (lambda: encode(quadrants(), "JPEG2000"), CORNERS),
    "a bare codestream": (lambda: encode(quadrants(), "JPEG2000", no_jp2=True), CORNERS),
    "a JP2 of tiles": (lambda: encode(quadrants(), "JPEG2000", tile_size=(16, 16)), CORNERS),
    "a JP2 of CMYK": (lambda: encode(quadrants("CMYK"), "JPEG2000"), CORNERS),
    "a JP2 of 16 bits": (lambda: encode(Image.new("I;16", (8, 8), 32896), "JPEG2000"), ((128,) * 3,) * 4),
    # Photoshop
    **{
        f"a {'packed' if packed else 'raw'} PSD of {mode}, {depth} bits": (
            partial(psd, quadrants(mode), depth=depth, packed=packed),
            SHADES if mode == "L" else CORNERS,
        )
        for mode, depth in (("L", 8), ("L", 16), ("P", 8), ("RGB", 8), ("RGB", 16), ("CMYK", 8), ("CMYK", 16))
        for packed in (False, True)
    },
    "a PSD of black and white": (
        lambda: psd(quadrants("L").convert("1", dither=Image.Dither.NONE), depth=1),
        (BLACK, WHITE, BLACK, WHITE),
    ),
    "a PSB": (lambda: psd(quadrants(), large=True, packed=True), CORNERS),
    "a PSB of 16 bits": (lambda: psd(quadrants(), large=True, depth=16), CORNERS),
    "a PSD with a saved selection": (lambda: psd(quadrants(), alpha=HALF), CORNERS),
    "a PSD in Lab": (lambda: psd(quadrants("L").convert("RGB").convert("LAB")), SHADES),
    "a PSD in Lab of 16 bits, packed": (
        lambda: psd(Image.new("RGB", (64, 32), (180, 90, 60)).convert("LAB"), depth=16, packed=True),
        ((180, 90, 60),) * 4,
    ),
    # TGA
    "a TGA": (tga, CORNERS),
    "a TGA of run lengths": (lambda: tga(compression="tga_rle"), CORNERS),
    "a TGA whose runs go on in the next row": (
        lambda: tga(compression="tga_rle")[:18] + b"\xff\0\0\xff" * 16,
        (RED,) * 4,
    ),
    "a TGA of greys": (lambda: tga("L"), SHADES),
    "a TGA of a palette": (lambda: tga("P"), CORNERS),
    "a TGA of 32 bits, none of them transparency": (lambda: tga("RGBA", alpha_bits=0), CORNERS),
    "a TGA from the top": (lambda: tga(orientation=1), CORNERS),
    # Icons
    "an icon of a PNG": (lambda: icon(encode(quadrants(), "PNG")), CORNERS),
    "the largest picture of an icon": (
        lambda: icon(solid((16, 16), RED), solid((32, 32), LIME), sizes=((16, 16), (32, 32))),
        (LIME,) * 4,
    ),
    "an icon of 32 bits whose fourth byte is unused": (lambda: icon(dib(32, b"\0\0\xff\0")), (RED,) * 4),
    "an icon of 32 bits with transparency": (lambda: icon(dib(32, b"\0\0\xff\x80")), (mixed(RED, 128),) * 4),
    **{
        f"an icon of a header of {size} bytes, {name}": (partial(_with_masks, size, compression, alpha), (shown,) * 4)
        for size, compression, alpha, name, shown in (
            (40, 3, 0, "with masks of colours", RED),
            (56, 0, 0, "without a mask of transparency", RED),
            (108, 3, 0, "without a mask of transparency", RED),
            (124, 0, 0xFF000000, "with a mask of transparency", mixed(RED, 128)),
        )
    },
    "an icon of a PNG with a damaged text": (
        lambda: icon(solid((4, 4), RED)[:33] + png_chunk(b"tEXt", b"a\0b")[:-1] + b"!" + solid((4, 4), RED)[33:]),
        (RED,) * 4,
    ),
    "an icon of a PNG of 2 bits with a transparent colour": (
        lambda: icon(png_of(np.full((4, 4, 1), 2), png_chunk(b"tRNS", b"\0\2"), depth=2, colour=0)),
        (WHITE,) * 4,
    ),
    "an icon of a PNG with an orientation": (lambda: icon(encode(quadrants(), "PNG", exif=exif(6))), CORNERS),
    "an icon with a mask": (lambda: icon(dib(24, b"\0\0\xff", mask=RED_WHITE)), (WHITE, RED, WHITE, RED)),
    "an icon whose rows come from the top": (
        lambda: icon(_upside_down(dib(24, b"\0\0\xff", mask=bytes.fromhex("f0000000") * 2 + bytes(8)))),
        (WHITE, WHITE, RED, RED),
    ),
    "an icon of two colours": (lambda: icon(dib(1, b"\xf0"), bits=1), (RED,) * 4),
    "an icon without a mask": (lambda: icon(dib(24, b"\0\0\xff", mask=b"")), (RED,) * 4),
    "an icon whose directory says that its picture is shorter": (
        lambda: icon(encode(quadrants(), "PNG"))[:14] + struct.pack("<I", 8) + icon(encode(quadrants(), "PNG"))[18:],
        CORNERS,
    ),
    "a cursor": (lambda: icon(encode(quadrants(), "PNG"), kind=2), CORNERS),
    # PNM
    "a PBM in digits": (lambda: b"P1\n2 2\n0 1\n10", (WHITE, BLACK, BLACK, WHITE)),
    "a PGM in digits": (lambda: b"P2 2 2 15\n15 0\n0 15", (WHITE, BLACK, BLACK, WHITE)),
    "a PPM in digits": (lambda: samples(b"P3", 255, plain=True), CORNERS),
    "a PBM": (lambda: encode(Image.new("1", (8, 8), 1), "PPM"), (WHITE,) * 4),
    "a PGM": (lambda: encode(quadrants("L"), "PPM"), SHADES),
    "a PPM": (lambda: encode(quadrants(), "PPM"), CORNERS),
    "a PPM of 16 bits": (lambda: samples(b"P6", 65535), CORNERS),
    "a PPM up to 100": (lambda: samples(b"P6", 100), CORNERS),
    "a PGM of 16 bits": (lambda: b"P5 1 1 65535\n\x80\x80", ((128,) * 3,) * 4),
    "a PAM with transparency": (lambda: pam(4, b"RGB_ALPHA", bytes([255, 0, 0, 128])), (mixed(RED, 128),) * 4),
    "a PAM of grey and transparency": (lambda: pam(2, b"GRAYSCALE_ALPHA", bytes([0, 0])), (WHITE,) * 4),
    # SVG
    "a drawing": (svg, (RED,) * 4),
    "a compressed drawing": (lambda: gzip.compress(svg()), (RED,) * 4),
    "a drawing that is half transparent": (
        lambda: svg('<rect width="64" height="32" fill="red" opacity="0.5"/>'),
        (mixed(RED, 128),) * 4,
    ),
    "a drawing of Illustrator, with entities": (
        lambda: (
            b'<?xml version="1.0"?><!-- a - b --><!DOCTYPE svg PUBLIC "-//W3C//DTD" "http://www.w3.org/x.dtd" ['
            b'<!ENTITY ns "http://www.w3.org/2000/svg">]>\n<svg xmlns="&ns;" width="9" height="9">'
            b'<rect width="9" height="9" fill="red"/></svg>'
        ),
        (RED,) * 4,
    ),
    "a drawing with a prefix": (
        lambda: (
            b'<s:svg xmlns:s="http://www.w3.org/2000/svg" width="9" height="9">'
            b'<s:rect width="9" height="9" fill="red"/></s:svg>'
        ),
        (RED,) * 4,
    ),
    "a drawing with a script": (
        lambda: svg('<script>document.rootElement.remove()</script><rect width="64" height="32" fill="red"/>'),
        (RED,) * 4,
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_shows_the_picture_as_it_is(name: str) -> None:
    """The colours are in their places."""
    make, expected = PICTURES[name]
    assert near(corners(run(make()).body), expected)


def test_heic_of_ten_bits_keeps_its_colours() -> None:
    """libheif gives eight of them."""
    wide = bytes(byte for pixel in quadrants().tobytes() for byte in (pixel, pixel))
    file = pillow_heif.from_bytes("RGB;16", (64, 32), wide)
    stream = io.BytesIO()
    file.save(stream, quality=95, chroma=444)
    assert near(corners(run(stream.getvalue()).body), CORNERS)


WIDE = (200, 60, 90)


@pytest.mark.parametrize(
    "make",
    [
        lambda picture, profile: heic(picture, icc_profile=profile),
        lambda picture, profile: psd(picture, resources=((1039, profile),)),
        lambda picture, profile: with_profile(encode(picture, "JPEG2000"), profile),
    ],
    ids=["heic", "psd", "jp2"],
)
def test_converts_the_colours_of_a_profile(make: Callable[[Image.Image, bytes], bytes]) -> None:
    """Display P3 is what an iPhone records."""
    source = make(Image.new("RGB", (64, 32), WIDE), icc_profile(DISPLAY_P3))
    assert near(corners(run(source).body), (as_srgb(WIDE, DISPLAY_P3),) * 4)


def with_profile(jp2: bytes, profile: bytes) -> bytes:
    """The JP2 with this profile in place of its enumerated colours."""
    place = jp2.index(b"colr") - 4
    box = struct.pack(">I4sBBB", 11 + len(profile), b"colr", 2, 0, 0) + profile
    grown = jp2[:place] + box + jp2[place + 15 :]
    header = grown.index(b"jp2h") - 4
    size = int.from_bytes(grown[header : header + 4], "big") + len(box) - 15
    return grown[:header] + struct.pack(">I", size) + grown[header + 4 :]


ALPHA: dict[str, Callable[[], bytes]] = {
    "heic": lambda: heic(with_alpha()),
    "jp2": lambda: encode(with_alpha(), "JPEG2000"),
    "tga": lambda: tga("RGBA"),
    "psd": lambda: psd(ON_WHITE, alpha=HALF, layers=-1),
    "psd of 16 bits": lambda: psd(ON_WHITE, alpha=HALF, layers=-1, depth=16, packed=True),
    "ico": lambda: icon(encode(with_alpha(), "PNG")),
    "pnm": lambda: pam(4, b"RGB_ALPHA", bytes([255, 0, 0, 128])),
    "svg": lambda: svg('<rect width="64" height="32" fill="red" opacity="0.502"/>'),
}


def with_alpha() -> Image.Image:
    """The quadrants, half transparent."""
    picture = quadrants()
    picture.putalpha(HALF)
    return picture


@pytest.mark.parametrize("name", ALPHA)
def test_keeps_transparency_or_shows_it_as_white(name: str) -> None:
    """PNG keeps it; a JPEG shows the picture on white. Photoshop saves its composite mixed with white."""
    kept = decode(run(ALPHA[name]()).body)
    assert kept.mode == "RGBA"
    red, green, blue, alpha = kept.getpixel((1, 1))  # type: ignore[misc]  # RGBA has four bands
    assert near(((red, green, blue, alpha),), ((*RED, 128),))
    flat = decode(run(ALPHA[name](), format="jpeg", quality=95).body)
    assert near((flat.getpixel((0, 0)),), (mixed(RED, 128),), tolerance=8)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="64" height="32"', (64, 32)),
        ('viewBox="0 0 120 60"', (120, 60)),
        ('width="100%" height="100%" viewBox="0 0 120 60"', (120, 60)),
        ('width="240" viewBox="0 0 120 60"', (240, 120)),
        ('width="25.4mm" height="1in"', (96, 96)),
        ('width="72pt" height="6pc"', (96, 96)),
    ],
)
def test_draws_at_the_size_of_the_drawing(attributes: str, size: tuple[int, int]) -> None:
    """Units are those of CSS, of 96 pixels an inch; without a size the `viewBox` counts."""
    rendition = run(svg(attributes=attributes))
    assert (rendition.source.width, rendition.source.height) == size
    assert decode(rendition.body).size == size


OUTSIDE = ("file:///etc/passwd", "/etc/passwd", "http://127.0.0.1:9/x.png", "other.svg#a")


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_drawing_reads_nothing_else(address: str) -> None:
    """What it refers to is left out, and a note says so."""
    parts = f'<image href="{address}" width="64" height="32"/><use href="{address}"/>'
    rendition = run(svg(f"{parts}<style>@import url({address});</style>"))
    assert corners(rendition.body) == (WHITE,) * 4
    assert shown(rendition) == ["reference_left_out"]


def test_the_other_process_says_what_it_took() -> None:
    """As if the picture had been made here."""
    spent: StageSeconds = {}
    compress(svg("<rect/>"), options=CompressOptions(), max_pixels=10**6, spent=spent)
    assert set(spent) == {"decode", "encode"}


def test_text_of_a_drawing_is_noted() -> None:
    """It is drawn in a font of the server."""
    rendition = run(svg('<text y="24" font-size="24">Sale</text>'))
    assert decode(rendition.body).getbbox() is not None
    assert shown(rendition) == ["font_replaced"]


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_says_that_only_the_first_frame_is_shown(image_format: str) -> None:
    """A picture of one frame has no note."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, LIME)]
    animation = encode(frames[0], image_format, save_all=True, append_images=frames[1:])
    assert shown(run(animation)) == ["first_frame"]
    assert shown(run(encode(frames[0], image_format))) == []


@pytest.mark.parametrize(
    ("make", "kept"),
    [(lambda: heic(quadrants()), "jpeg"), (svg, "png"), (tga, "png"), (lambda: psd(quadrants()), "png")],
    ids=["heic", "svg", "tga", "psd"],
)
def test_keep_makes_a_photograph_a_jpeg(make: Callable[[], bytes], kept: str) -> None:
    """Other formats become PNG, which is lossless."""
    assert run(make(), format="keep").output.format == kept


MANY = 10_000
REFUSED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "half a HEIC": (lambda: heic(quadrants())[:-50], "truncated_image", "ends too early"),
    "a HEIC of a header": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "corrupt_image", "HEIC"),
    "half a JP2": (lambda: encode(quadrants(), "JPEG2000")[:-50], "truncated_image", "ends too early"),
    "a JP2 of a signature": (lambda: b"\0\0\0\x0cjP  \r\n\x87\n", "truncated_image", "JPEG 2000"),
    "half a PSD": (lambda: psd(quadrants())[:-500], "truncated_image", "ends too early"),
    "a PSD of a header": (lambda: psd(quadrants())[:26], "corrupt_image", "Photoshop"),
    "a PSD without a composite": (
        lambda: psd(quadrants(), resources=((1057, b"\0\0\0\1\0"),)),
        "unsupported_format",
        "Maximize",
    ),
    "a PSD of many inks": (lambda: _changed(psd(quadrants()), 25, 7), "unsupported_format", "multichannel"),
    "a PSD of 32 bits": (lambda: _changed(psd(quadrants()), 23, 32), "unsupported_format", "32 bits"),
    "a PSD of 3 bits": (lambda: _changed(psd(quadrants()), 23, 3), "corrupt_image", "damaged"),
    "half a TGA": (lambda: tga()[:200], "truncated_image", "ends too early"),
    "half an icon": (lambda: icon(solid((16, 16), RED))[:-30], "truncated_image", "ends too early"),
    "an icon of a header": (lambda: b"\0\0\1\0\1\0" + bytes(20), "corrupt_image", "icon"),
    "half a PPM": (lambda: encode(quadrants(), "PPM")[:-9], "truncated_image", "ends too early"),
    "half a PPM in digits": (lambda: b"P3 9 9 255\n1 2 3", "truncated_image", "ends too early"),
    "a PPM of words": (lambda: b"P3 1 1 255\none two three", "corrupt_image", "PNM"),
    "a PAM of ink": (lambda: pam(4, b"CMYK", bytes(4)), "unsupported_format", "PAM"),
    "half a compressed drawing": (lambda: gzip.compress(svg())[:-9], "truncated_image", "ends too early"),
    "a damaged compressed drawing": (lambda: gzip.compress(svg())[:-8] + bytes(8), "corrupt_image", "SVG"),
    "a compressed drawing of 40 MB": (
        lambda: gzip.compress(svg("<!--" + " " * 40_000_000 + "-->"), 1),
        "unsupported_format",
        "32 MiB",
    ),
    "a gzip archive of a text": (lambda: gzip.compress(b"<p>svg</p>"), "not_an_image", "gzip"),
    "half a drawing": (lambda: svg()[:-9], "truncated_image", "ends too early"),
    "a drawing that is not closed": (lambda: svg("<rect"), "corrupt_image", "SVG"),
    "a drawing of no size": (lambda: svg(attributes='width="0" height="9"'), "unsupported_format", "no size"),
    "a drawing of less than no size": (
        lambda: svg(attributes='width="-4" height="9"'),
        "unsupported_format",
        "no size",
    ),
    "an empty drawing": (lambda: svg("", attributes=""), "unsupported_format", "no size"),
    "a web page with a drawing": (lambda: b"<html><body>" + svg(), "not_an_image", "HTML"),
    "a compressed drawing": (lambda: b"\x1f\x8b\x08" + bytes(9), "not_an_image", "gzip"),
}


def _changed(source: bytes, place: int, value: int) -> bytes:
    return source[:place] + bytes([value]) + source[place + 1 :]


@pytest.mark.parametrize("name", REFUSED)
def test_explains_why_a_picture_cannot_be_used(name: str) -> None:
    """The code is stable, and the detail names the kind of file or what to do."""
    make, code, says = REFUSED[name]
    error = failure(make())
    assert (error.code, error.retryable) == (code, False)
    assert says in error.detail


def test_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detail says what the owner of an iPhone can do, and what the owner of the server can."""
    monkeypatch.setattr(apart, "find_spec", lambda _: None)
    error = failure(heic(quadrants()))
    assert error.code == "unsupported_format"
    assert "Most Compatible" in error.detail
    assert "imgproc[heic]" in error.detail


def test_a_drawing_with_text_needs_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them it would show boxes, so it is refused."""
    monkeypatch.setattr(drawings, "FONT_FOLDERS", ())
    source = svg("<text y='20'>Hi</text>")
    with pytest.raises(CompressError, match="no fonts"):
        compress(source, options=CompressOptions(), max_pixels=10**6, is_apart=True)


@pytest.mark.parametrize(
    ("program", "code", "retryable"),
    [
        ("import os; os.abort()", "unsupported_format", False),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "unsupported_format", False),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "corrupt_image", False),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "worker_lost", True),
        ("raise ValueError", "corrupt_image", False),
        ("print('{\"need\": 1}', flush=True); raise ValueError", "corrupt_image", False),
        (
            "print('{\"need\": 1}', flush=True); import time; time.sleep(.1); print('{\"body\": 9}')",
            "corrupt_image",
            False,
        ),
    ],
    ids=["no memory", "no time", "a crash", "killed from outside", "an error", "an error later", "half an answer"],
)
def test_a_crash_of_the_program_ends_one_picture(
    program: str, code: str, retryable: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process goes on, and what others did to the program is no fault of the picture."""
    (tmp_path / "crashing_program.py").write_text(program)
    monkeypatch.setattr(apart, "_PROGRAM", "crashing_program")
    monkeypatch.setattr(programs, "ROOT", tmp_path)
    error = failure(svg())
    assert (error.code, error.retryable) == (code, retryable)


@pytest.mark.exhaustive
def test_the_program_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that takes more memory than its program may ends in an error."""
    monkeypatch.setattr(apart, "MEMORY_BYTES", 120_000_000)
    error = failure(heic(Image.new("RGB", (4000, 4000))))
    assert error.code in {"too_many_pixels", "unsupported_format", "encode_failed"}


@pytest.mark.exhaustive
def test_waits_for_memory_that_all_pictures_share() -> None:
    """A picture that needs more than the whole budget is refused before it is decoded."""
    error = failure(heic(Image.new("RGB", (4000, 3000))), memory=MemoryBudget(500_000_000))
    assert error.code == "too_many_pixels"
    assert run(heic(quadrants()), memory=MemoryBudget(0)).body


def test_checks_pixels_before_decoding() -> None:
    """The header alone decides."""
    for source in (
        heic(quadrants()),
        svg(),
        psd(quadrants()),
        tga(),
        encode(quadrants(), "PPM"),
        icon(encode(quadrants(), "PNG")),
    ):
        assert failure(source, max_pixels=100).code == "too_many_pixels"


def test_an_original_drawing_is_not_served_as_one() -> None:
    """A browser would run the scripts of a stored original."""
    assert content_type_of("svg") == "application/octet-stream"
