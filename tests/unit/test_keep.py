"""What `quality=smart` keeps: the source's own pixels, nothing else of it, and only where nothing smaller was found."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from imgproc.pipeline._image_keep import keep
from imgproc.pipeline.compress import CompressOptions, Rendition, compress
from tests.unit.compress_corpus import decode, encode, photo
from tests.unit.hostile_images import swapped_profile

SECRET = b"<script>alert('where it was taken')</script>"


def poor(image_format: str = "JPEG", **options: object) -> bytes:
    """A small file of which any encoder makes a larger one."""
    pains = {"quality": 3, "optimize": True, "progressive": True}
    return encode(photo("coffee").resize((160, 120)), image_format, **(pains | options))


def run(source: bytes, **options: object) -> Rendition:
    """At full size, so that nothing is gained by it."""
    given = {"quality": "smart", "scale": 1.0, "format": "keep"} | options
    return compress(source, options=CompressOptions(**given), max_pixels=1_000_000)


def exif(orientation: int) -> Image.Exif:
    """With a secret beside."""
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = orientation, SECRET.decode()
    return tags


def text() -> PngImagePlugin.PngInfo:
    """The secret as PNG has it."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    return info


def animated(image_format: str) -> bytes:
    """Two frames."""
    first, second = (photo(name).resize((40, 30)) for name in ("coffee", "rocket"))
    return encode(first, image_format, save_all=True, append_images=[second], quality=1)


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """A chunk behind the header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png[:33] + chunk + png[33:]


def few_colours(**options: object) -> bytes:
    """A PNG that its encoder took pains with."""
    picture = photo("coffee").resize((90, 60)).quantize(4)
    return encode(picture, "PNG", optimize=True, **options)


KEPT: dict[str, Callable[[], bytes]] = {
    "a JPEG": poor,
    "a baseline JPEG": lambda: poor(progressive=False, quality=1),
    "a grey JPEG": lambda: encode(photo("coffee").convert("L").resize((160, 120)), "JPEG", quality=1, progressive=True),
    "a JPEG with a comment": lambda: poor(comment=SECRET),
    "a JPEG with Exif, upright": lambda: poor(exif=exif(1)),
    "a JPEG with XMP": lambda: poor(xmp=SECRET),
    "a JPEG with a profile that is sRGB's": lambda: poor(
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "a JPEG with a page behind": lambda: poor() + SECRET,
    "a WebP": lambda: poor("WEBP", method=6),
    "a WebP with XMP": lambda: poor("WEBP", method=6, xmp=SECRET),
    "a WebP with a page behind": lambda: poor("WEBP", method=6) + SECRET,
}
NOT_KEPT: dict[str, Callable[[], bytes]] = {
    "a JPEG to be turned": lambda: poor(exif=exif(6)),
    "a JPEG in other colours": lambda: poor(icc_profile=swapped_profile()),
    "a JPEG of four inks": lambda: encode(photo("coffee").convert("CMYK").resize((160, 120)), "JPEG", quality=3),
    "an animated WebP": lambda: animated("WEBP"),
    "an AVIF": lambda: poor("AVIF"),
}


@pytest.mark.parametrize("name", KEPT)
def test_keeps_the_pixels_and_nothing_else(name: str) -> None:
    """The same pixels in no more bytes, and no word of what stood around them."""
    source = KEPT[name]()
    made = run(source)
    assert made.kept
    assert made.output.bytes == len(made.body) <= len(source)
    assert decode(made.body).convert("RGB").tobytes() == decode(source).convert("RGB").tobytes()
    assert SECRET not in made.body
    assert b"Exif" not in made.body
    assert not decode(made.body).info.keys() & {"exif", "xmp", "comment", "icc_profile"}


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_would_look_different_is_made_anew(name: str) -> None:
    """Its pixels are not what is seen, or its format is not one that we rewrite."""
    assert not run(NOT_KEPT[name]()).kept


def test_keeps_whatever_the_size_where_a_smaller_picture_takes_more_bytes() -> None:
    """More pixels in fewer bytes: nothing would be gained."""
    made = run(poor(), scale=0.5, format="jpeg")
    assert made.kept
    assert (made.output.width, made.output.height) == (160, 120)


@pytest.mark.parametrize("options", [{"quality": 50}, {"format": "webp"}])
def test_keeps_only_what_was_asked_for(options: dict[str, object]) -> None:
    """Not unless it is smart, nor in another format."""
    assert not run(poor(), **options).kept


def test_a_good_source_is_made_smaller() -> None:
    """Keeping is for what cannot be made smaller."""
    assert not run(encode(photo("coffee"), "JPEG", quality=95)).kept


PNGS: dict[str, tuple[Callable[[], bytes], bool]] = {
    "as it is": (few_colours, True),
    "with text": (lambda: few_colours(pnginfo=text()), True),
    "with a page behind": (lambda: few_colours() + SECRET, True),
    "with an unknown chunk": (lambda: with_chunk(few_colours(), b"seCr", SECRET), True),
    "interlaced header over plain rows": (lambda: few_colours()[:28] + b"\1" + few_colours()[29:], False),
    "with an unknown critical chunk": (lambda: with_chunk(few_colours(), b"SECR", SECRET), False),
    "with a palette of a wrong length": (lambda: with_chunk(few_colours(), b"PLTE", SECRET[:4]), False),
    "with more behind the pixels": (lambda: encode(Image.new("RGB", (9, 9)), "PNG").replace(b"IDAT", b"IDAX"), False),
    "cut short": (lambda: few_colours()[:-20], False),
    "with a wrong checksum": (lambda: few_colours()[:-14] + b"\0\0" + few_colours()[-12:], False),
    "with a stream that holds more than the picture": (lambda: _png_of(bytes(4 * 28)), False),
}


def _png_of(rows: bytes) -> bytes:
    """3 x 3 pixels, whatever the rows hold."""
    png = b"\x89PNG\r\n\x1a\n"
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        png += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png


@pytest.mark.parametrize("name", PNGS)
def test_rewrites_a_png_if_all_of_it_is_known(name: str) -> None:
    """Chunks that decoders may skip are dropped; what does not keep to the format is not kept at all."""
    make, is_kept = PNGS[name]
    source = make()
    kept = keep(source, source_format="png")
    assert (kept is not None) is is_kept
    if kept is not None:
        assert decode(kept).convert("RGB").tobytes() == decode(source).convert("RGB").tobytes()
        assert SECRET not in kept


JPEGS: dict[str, Callable[[bytes], bytes]] = {
    "cut before its end": lambda jpeg: jpeg[:-2],
    "junk between segments": lambda jpeg: jpeg[:20] + b"\0\0" + jpeg[20:],
    "two frames": lambda jpeg: jpeg[:20] + jpeg[jpeg.index(b"\xff\xc2") :][:19] + jpeg[20:],
    "a table longer than it says": lambda jpeg: jpeg[:20] + b"\xff\xdb\0\x08" + SECRET[:6] + jpeg[20:],
    "an unknown segment": lambda jpeg: jpeg[:20] + b"\xff\xf0\0\x08" + SECRET[:6] + jpeg[20:],
    "a segment beyond the end": lambda jpeg: jpeg[:20] + b"\xff\xdb\xff\xff" + jpeg[20:],
}


@pytest.mark.parametrize("name", JPEGS)
def test_does_not_rewrite_an_odd_jpeg(name: str) -> None:
    """Whatever might carry something along."""
    assert keep(JPEGS[name](poor()), source_format="jpeg") is None


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_a_kept_file_is_kept_as_it_is(image_format: str) -> None:
    """Rewriting twice changes nothing."""
    once = keep(few_colours() if image_format == "PNG" else poor(image_format), source_format=image_format.lower())
    assert once is not None
    assert keep(once, source_format=image_format.lower()) == once
    Image.open(io.BytesIO(once)).verify()
