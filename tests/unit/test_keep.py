"""What `quality=smart` keeps: the source's own pixels, nothing else of it, and only where nothing smaller was found."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress
from imgproc.pipeline.images.cost import CpuTime
from imgproc.pipeline.images.keep import keep as keep_below
from tests.unit.compress_corpus import decode, encode, photo
from tests.unit.hostile_images import swapped_profile

IMAGES = Path(__file__).parents[1] / "fixtures/images"
SECRET = b"<script>alert('where it was taken')</script>"


def keep(source: bytes, *, source_format: str) -> bytes | None:
    """Whatever its size."""
    return keep_below(source, source_format=source_format, pixels=0, below=10**9, time=CpuTime())


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


def lossless(**options: object) -> bytes:
    """A WebP of few colours that lost nothing, with little effort."""
    picture = photo("coffee").resize((90, 60)).quantize(4).convert("RGB")
    return encode(picture, "WEBP", lossless=True, method=0, **options)


def veiled(**options: object) -> bytes:
    """A WebP with transparency, lossy unless the options say otherwise."""
    picture = photo("coffee").resize((64, 64))
    picture.putalpha(Image.radial_gradient("L").resize((64, 64)))
    return encode(picture, "WEBP", **({"quality": 20} | options))


KEPT: dict[str, Callable[[], bytes]] = {
    "a JPEG": poor,
    "a baseline JPEG": lambda: encode(photo("coffee"), "JPEG", quality=10),
    "a grey JPEG": lambda: encode(photo("coffee").convert("L").resize((160, 120)), "JPEG", quality=1, progressive=True),
    "a JPEG with a comment": lambda: poor(comment=SECRET),
    "a JPEG with Exif, upright": lambda: poor(exif=exif(1)),
    "a JPEG with XMP": lambda: poor(xmp=SECRET),
    "a JPEG with a profile that is sRGB's": lambda: poor(
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "a JPEG with a page behind": lambda: poor() + SECRET,
    "a lossless WebP": lossless,
    "a lossless WebP with XMP": lambda: lossless(xmp=SECRET),
    "a lossless WebP with a page behind": lambda: lossless() + SECRET,
}
NOT_KEPT: dict[str, Callable[[], bytes]] = {
    "a JPEG to be turned": lambda: poor(exif=exif(6)),
    "a JPEG in other colours": lambda: poor(icc_profile=swapped_profile()),
    "a JPEG of four inks": lambda: encode(photo("coffee").convert("CMYK").resize((160, 120)), "JPEG", quality=3),
    "an animated WebP": lambda: animated("WEBP"),
    "a lossy WebP": lambda: poor("WEBP", method=6),
    "a lossy WebP with transparency": veiled,
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
    "with a stream that holds more than the picture": (lambda: _png_of(zlib.compress(bytes(4 * 28))), False),
}


def _png_of(rows: bytes) -> bytes:
    """3 x 3 pixels, whatever the compressed rows hold."""
    png = b"\x89PNG\r\n\x1a\n"
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 2, 0, 0, 0)),
        (b"IDAT", rows),
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


def before_end(jpeg: bytes, more: bytes) -> bytes:
    """More before the marker that ends the file."""
    return jpeg[:-2] + more + jpeg[-2:]


def table(kind: int, body: bytes) -> bytes:
    """A JPEG's segment."""
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


def in_webp(webp: bytes, *, of: bytes, more: bytes) -> bytes:
    """More at the end of a chunk's body, with all lengths put right."""
    position, file = 12, b"WEBP"
    while position < len(webp):
        kind, length = struct.unpack_from("<4sI", webp, position)
        body = webp[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
        if kind == of:
            body += more
        file += kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(file)) + file


CHRM = SECRET[:32]
HIDDEN: dict[str, tuple[str, Callable[[], bytes]]] = {
    "behind the last block": ("jpeg", lambda: before_end(poor(), SECRET)),
    "behind the last block of a baseline JPEG": ("jpeg", lambda: before_end(poor(progressive=False), SECRET)),
    "behind the last block of a grey JPEG": (
        "jpeg",
        lambda: before_end(encode(photo("coffee").convert("L"), "JPEG", quality=20), SECRET),
    ),
    "behind a restart": ("jpeg", lambda: before_end(poor(progressive=False), b"\xff\xd0" + SECRET)),
    "before a restart": (
        "jpeg",
        lambda: poor(progressive=False, restart_marker_blocks=5).replace(b"\xff\xd0", SECRET + b"\xff\xd0", 1),
    ),
    "in a scan of what was there": (
        "jpeg",
        lambda: before_end(poor(), last_scan(poor())),
    ),
    "in a second palette": ("png", lambda: with_chunk(few_colours(), b"PLTE", SECRET[:42])),
    "in two of the white point": ("png", lambda: with_chunk(with_chunk(few_colours(), b"cHRM", CHRM), b"cHRM", CHRM)),
    "in transparency of more colours than there are": (
        "png",
        lambda: with_transparency(few_colours(), SECRET),
    ),
}


def last_scan(jpeg: bytes) -> bytes:
    """With its header."""
    return jpeg[jpeg.rindex(b"\xff\xda") : -2]


def with_transparency(png: bytes, body: bytes) -> bytes:
    """A chunk of it where it belongs, before the pixels."""
    at = png.index(b"IDAT") - 4
    return png[:at] + with_chunk(bytes(33), b"tRNS", body)[33:] + png[at:]


@pytest.mark.parametrize("name", HIDDEN)
def test_does_not_keep_what_hides_among_the_picture(name: str) -> None:
    """Decoders pass over it, and show the picture all the same, as does the file that is made of it."""
    source_format, make = HIDDEN[name]
    pixels = decode(make()).tobytes()
    kept = keep(make(), source_format=source_format)
    if source_format == "jpeg":
        assert kept is not None
        assert decode(kept).tobytes() == pixels
        assert SECRET not in kept
    else:
        assert kept is None


UNUSED: dict[str, bytes] = {
    "a quantization table": table(0xDB, b"\3" + (SECRET * 2)[:64]),
    "a Huffman table": table(0xC4, b"\3" + bytes(15) + bytes([len(SECRET)]) + SECRET),
    "a restart interval": table(0xDD, SECRET[:2]),
}


@pytest.mark.parametrize("name", UNUSED)
@pytest.mark.parametrize("progressive", [True, False])
def test_drops_tables_that_no_scan_refers_to(name: str, progressive: bool) -> None:
    """As often as they come, behind the scans or with a number of their own."""
    jpeg = poor(progressive=progressive, optimize=False)
    assert keep(before_end(jpeg, UNUSED[name] * 20), source_format="jpeg") == keep(jpeg, source_format="jpeg")


def test_drops_what_hides_behind_a_lossless_picture() -> None:
    """It is encoded anew."""
    more = in_webp(lossless(), of=b"VP8L", more=SECRET)
    assert keep(more, source_format="webp") == keep(lossless(), source_format="webp")


def test_drops_empty_blocks_between_the_rows_of_a_png() -> None:
    """Blocks of deflate (RFC 1951) may hold nothing, in as many words as one likes."""
    rows = zlib.compressobj()
    blocks = b"".join(rows.compress(bytes(10)) + rows.flush(zlib.Z_FULL_FLUSH) for _ in range(3)) + rows.flush()
    kept = keep(_png_of(blocks), source_format="png")
    assert kept is not None
    assert kept == keep(_png_of(zlib.compress(bytes(30))), source_format="png")


def test_drops_the_palette_that_a_picture_has_no_need_of() -> None:
    """In true colour it is a suggestion."""
    png = encode(photo("coffee").resize((9, 9)), "PNG")
    kept = keep(with_chunk(png, b"PLTE", SECRET[:42]), source_format="png")
    assert kept == keep(png, source_format="png")


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"restart_marker_blocks": 3}], ids=str)
@pytest.mark.parametrize("progressive", [True, False])
def test_keeps_jpegs_of_every_layout(options: dict[str, int], progressive: bool) -> None:
    """What checks for hidden bytes finds none in them."""
    jpeg = encode(photo("coffee").resize((77, 51)), "JPEG", quality=50, progressive=progressive, **options)
    kept = keep(jpeg, source_format="jpeg")
    assert kept is not None
    assert decode(kept).tobytes() == decode(jpeg).tobytes()


def test_drops_what_hides_in_blocks_beyond_the_edge() -> None:
    """Two files of 8 x 8 pixels in blocks of 16 x 16: they differ only beyond the picture's edge."""
    hidden, plain = ((IMAGES / f"{name}-the-edge.jpg").read_bytes() for name in ("beyond", "within"))
    assert hidden != plain
    assert decode(hidden).tobytes() == decode(plain).tobytes()
    kept = keep(hidden, source_format="jpeg")
    assert kept is not None
    assert kept == keep(plain, source_format="jpeg")


@pytest.mark.parametrize("make", [lossless, lambda: veiled(lossless=True), lambda: lossless(xmp=SECRET)])
def test_keeps_lossless_webps_of_every_layout(make: Callable[[], bytes]) -> None:
    """With the transparency."""
    kept = keep(make(), source_format="webp")
    assert kept is not None
    assert decode(kept).convert("RGBA").tobytes() == decode(make()).convert("RGBA").tobytes()


SMALL: dict[str, Callable[[], bytes]] = {"JPEG": poor, "PNG": few_colours, "WEBP": lossless}


@pytest.mark.parametrize("image_format", SMALL)
def test_keeps_only_what_is_smaller(image_format: str) -> None:
    """By a byte at least."""
    source = SMALL[image_format]()
    size = len(keep(source, source_format=image_format.lower()) or b"")
    assert keep_below(source, source_format=image_format.lower(), pixels=0, below=size, time=CpuTime()) is None
    assert keep_below(source, source_format=image_format.lower(), pixels=0, below=size + 1, time=CpuTime()) is not None


@pytest.mark.parametrize("shift", range(0, 600, 25))
@pytest.mark.parametrize("optimize", [False, True])
def test_a_damaged_jpeg_does_not_end_the_process(shift: int, optimize: bool) -> None:
    """Mozjpeg ends its own on some of these; what comes of the others is a picture."""
    jpeg = bytearray(encode(photo("coffee").resize((64, 48)), "JPEG", quality=50, optimize=optimize))
    jpeg[len(jpeg) - shift - 3] ^= 0x55
    kept = keep(bytes(jpeg), source_format="jpeg")
    assert kept is None or decode(kept).size == (64, 48)


@pytest.mark.parametrize("image_format", SMALL)
def test_keeps_no_picture_of_too_many_pixels(image_format: str) -> None:
    """It would take more memory than a worker may."""
    source = SMALL[image_format]()
    assert (
        keep_below(source, source_format=image_format.lower(), pixels=16 * 1024 * 1024 + 1, below=10**9, time=CpuTime())
        is None
    )


@pytest.mark.parametrize("image_format", SMALL)
def test_a_kept_file_is_kept_as_it_is(image_format: str) -> None:
    """Rewriting twice changes nothing."""
    once = keep(SMALL[image_format](), source_format=image_format.lower())
    assert once is not None
    assert keep(once, source_format=image_format.lower()) == once
    Image.open(io.BytesIO(once)).verify()
