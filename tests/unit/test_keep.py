"""`quality=smart` keeps the source's pixels, and nothing else of it, if no encoder makes a smaller file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress
from imgproc.pipeline.images.guards.cost import CpuTime
from imgproc.pipeline.images.keep import keep as keep_below
from tests.support.photographs import decode, encode, photo
from tests.unit.hostile_images import swapped_profile

IMAGES = Path(__file__).parents[1] / "fixtures/images"
SECRET = b"<script>alert('where it was taken')</script>"


def keep(source: bytes, *, source_format: str) -> bytes | None:
    """Keep a source whatever its size and its number of pixels."""
    return keep_below(source, source_format=source_format, pixels=0, below=10**9, time=CpuTime())


def poor(image_format: str = "JPEG", **options: Any) -> bytes:
    """A small file that every encoder would make larger."""
    small = {"quality": 3, "optimize": True, "progressive": True}
    return encode(photo("coffee").resize((160, 120)), image_format, **(small | options))


def run(source: bytes, **options: Any) -> Rendition:
    """Compress at full size, so that scaling saves nothing."""
    given: dict[str, Any] = {"quality": "smart", "scale": 1.0, "format": "keep"} | options
    return compress(source, options=CompressOptions(**given), max_pixels=1_000_000)


def exif(orientation: int) -> Image.Exif:
    """Exif with an orientation and a secret."""
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = orientation, SECRET.decode()
    return tags


def text() -> PngImagePlugin.PngInfo:
    """The secret in a PNG text chunk."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    return info


def animated(image_format: str) -> bytes:
    """An animation of two frames."""
    first, second = (photo(name).resize((40, 30)) for name in ("coffee", "rocket"))
    return encode(first, image_format, save_all=True, append_images=[second], quality=1)


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """Insert a chunk after the header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png[:33] + chunk + png[33:]


def few_colours(**options: Any) -> bytes:
    """A small, optimized PNG."""
    picture = photo("coffee").resize((90, 60)).quantize(4)
    return encode(picture, "PNG", optimize=True, **options)


def lossless(**options: object) -> bytes:
    """A lossless WebP of few colours, encoded with little effort."""
    picture = photo("coffee").resize((90, 60)).quantize(4).convert("RGB")
    return encode(picture, "WEBP", lossless=True, method=0, **options)


def transparent(**options: object) -> bytes:
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
    "a JPEG with an sRGB profile": lambda: poor(
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "a JPEG followed by a page": lambda: poor() + SECRET,
    "a lossless WebP": lossless,
    "a lossless WebP with XMP": lambda: lossless(xmp=SECRET),
    "a lossless WebP followed by a page": lambda: lossless() + SECRET,
}
NOT_KEPT: dict[str, Callable[[], bytes]] = {
    "a JPEG on its side": lambda: poor(exif=exif(6)),
    "a JPEG in other colours": lambda: poor(icc_profile=swapped_profile()),
    "a CMYK JPEG": lambda: encode(photo("coffee").convert("CMYK").resize((160, 120)), "JPEG", quality=3),
    "an animated WebP": lambda: animated("WEBP"),
    "a lossy WebP": lambda: poor("WEBP", method=6),
    "a lossy WebP with transparency": transparent,
    "an AVIF": lambda: poor("AVIF"),
}


@pytest.mark.parametrize("name", KEPT)
def test_keeps_the_pixels_and_nothing_else(name: str) -> None:
    """The file has the same pixels in at most as many bytes, and no metadata."""
    source = KEPT[name]()
    made = run(source)
    assert made.kept
    assert made.output.bytes == len(made.body) <= len(source)
    assert decode(made.body).convert("RGB").tobytes() == decode(source).convert("RGB").tobytes()
    assert SECRET not in made.body
    assert b"Exif" not in made.body
    assert not decode(made.body).info.keys() & {"exif", "xmp", "comment", "icc_profile"}


@pytest.mark.parametrize("name", NOT_KEPT)
def test_encodes_again_what_would_look_different(name: str) -> None:
    """The stored pixels are not the displayed ones, or we cannot rewrite the format."""
    assert not run(NOT_KEPT[name]()).kept


def test_keeps_the_full_size_if_a_smaller_picture_takes_more_bytes() -> None:
    """The source has more pixels in fewer bytes than its scaled rendition."""
    made = run(poor(), scale=0.5, format="jpeg")
    assert made.kept
    assert (made.output.width, made.output.height) == (160, 120)


@pytest.mark.parametrize("options", [{"quality": 50}, {"format": "webp"}])
def test_keeps_only_with_smart_quality_and_the_same_format(options: dict[str, object]) -> None:
    """Other qualities and other formats encode the picture."""
    assert not run(poor(), **options).kept


def test_a_good_source_is_made_smaller() -> None:
    """A source that can be made smaller is encoded."""
    assert not run(encode(photo("coffee"), "JPEG", quality=95)).kept


PNGS: dict[str, tuple[Callable[[], bytes], bool]] = {
    "as it is": (few_colours, True),
    "with text": (lambda: few_colours(pnginfo=text()), True),
    "followed by a page": (lambda: few_colours() + SECRET, True),
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
    """A PNG of 3 x 3 pixels with these compressed rows."""
    png = b"\x89PNG\r\n\x1a\n"
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 2, 0, 0, 0)),
        (b"IDAT", rows),
        (b"IEND", b""),
    ):
        png += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png


@pytest.mark.parametrize("name", PNGS)
def test_rewrites_a_png_only_if_every_part_is_known(name: str) -> None:
    """Optional chunks are dropped; a file that breaks the format is not kept."""
    make, is_kept = PNGS[name]
    source = make()
    kept = keep(source, source_format="png")
    assert (kept is not None) is is_kept
    if kept is not None:
        assert decode(kept).convert("RGB").tobytes() == decode(source).convert("RGB").tobytes()
        assert SECRET not in kept


def before_end(jpeg: bytes, more: bytes) -> bytes:
    """Insert bytes before the marker that ends the file."""
    return jpeg[:-2] + more + jpeg[-2:]


def segment(kind: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


def in_webp(webp: bytes, *, of: bytes, more: bytes) -> bytes:
    """Append bytes to the body of a chunk, and correct all lengths."""
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
    "in a repeated scan": (
        "jpeg",
        lambda: before_end(poor(), last_scan(poor())),
    ),
    "in a second palette": ("png", lambda: with_chunk(few_colours(), b"PLTE", SECRET[:42])),
    "in a second white point": ("png", lambda: with_chunk(with_chunk(few_colours(), b"cHRM", CHRM), b"cHRM", CHRM)),
    "in transparency for more colours than there are": (
        "png",
        lambda: with_transparency(few_colours(), SECRET),
    ),
}


def last_scan(jpeg: bytes) -> bytes:
    """The last scan of a JPEG, with its header."""
    return jpeg[jpeg.rindex(b"\xff\xda") : -2]


def with_transparency(png: bytes, body: bytes) -> bytes:
    """Insert a chunk of transparency before the pixels."""
    at = png.index(b"IDAT") - 4
    return png[:at] + with_chunk(bytes(33), b"tRNS", body)[33:] + png[at:]


@pytest.mark.parametrize("name", HIDDEN)
def test_does_not_keep_bytes_hidden_in_the_picture(name: str) -> None:
    """Decoders ignore the hidden bytes; a kept JPEG loses them, and such a PNG is not kept."""
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
    "a quantization table": segment(0xDB, b"\3" + (SECRET * 2)[:64]),
    "a Huffman table": segment(0xC4, b"\3" + bytes(15) + bytes([len(SECRET)]) + SECRET),
    "a restart interval": segment(0xDD, SECRET[:2]),
}


@pytest.mark.parametrize("name", UNUSED)
@pytest.mark.parametrize("progressive", [True, False])
def test_drops_tables_that_no_scan_refers_to(name: str, progressive: bool) -> None:
    """Unused tables are dropped, also repeated ones after the scans."""
    jpeg = poor(progressive=progressive, optimize=False)
    assert keep(before_end(jpeg, UNUSED[name] * 20), source_format="jpeg") == keep(jpeg, source_format="jpeg")


def test_drops_bytes_hidden_behind_a_lossless_picture() -> None:
    """A lossless WebP is encoded again."""
    more = in_webp(lossless(), of=b"VP8L", more=SECRET)
    assert keep(more, source_format="webp") == keep(lossless(), source_format="webp")


def test_drops_empty_blocks_between_the_rows_of_a_png() -> None:
    """Deflate (RFC 1951) allows any number of empty blocks, which could hide data."""
    rows = zlib.compressobj()
    blocks = b"".join(rows.compress(bytes(10)) + rows.flush(zlib.Z_FULL_FLUSH) for _ in range(3)) + rows.flush()
    kept = keep(_png_of(blocks), source_format="png")
    assert kept is not None
    assert kept == keep(_png_of(zlib.compress(bytes(30))), source_format="png")


def test_drops_the_palette_of_a_true_colour_png() -> None:
    """In a true-colour PNG the palette is only a suggestion."""
    png = encode(photo("coffee").resize((9, 9)), "PNG")
    kept = keep(with_chunk(png, b"PLTE", SECRET[:42]), source_format="png")
    assert kept == keep(png, source_format="png")


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"restart_marker_blocks": 3}], ids=str)
@pytest.mark.parametrize("progressive", [True, False])
def test_keeps_jpegs_of_every_layout(options: dict[str, int], progressive: bool) -> None:
    """The check for hidden bytes accepts ordinary files."""
    jpeg = encode(photo("coffee").resize((77, 51)), "JPEG", quality=50, progressive=progressive, **options)
    kept = keep(jpeg, source_format="jpeg")
    assert kept is not None
    assert decode(kept).tobytes() == decode(jpeg).tobytes()


def test_drops_bytes_hidden_in_blocks_beyond_the_edge() -> None:
    """Two files of 8 x 8 pixels in blocks of 16 x 16 differ only beyond the edge of the picture."""
    hidden, plain = ((IMAGES / f"{name}-the-edge.jpg").read_bytes() for name in ("beyond", "within"))
    assert hidden != plain
    assert decode(hidden).tobytes() == decode(plain).tobytes()
    kept = keep(hidden, source_format="jpeg")
    assert kept is not None
    assert kept == keep(plain, source_format="jpeg")


@pytest.mark.parametrize("make", [lossless, lambda: transparent(lossless=True), lambda: lossless(xmp=SECRET)])
def test_keeps_lossless_webps_of_every_layout(make: Callable[[], bytes]) -> None:
    """The pixels and the transparency stay the same."""
    kept = keep(make(), source_format="webp")
    assert kept is not None
    assert decode(kept).convert("RGBA").tobytes() == decode(make()).convert("RGBA").tobytes()


SMALL: dict[str, Callable[[], bytes]] = {"JPEG": poor, "PNG": few_colours, "WEBP": lossless}


@pytest.mark.parametrize("image_format", SMALL)
def test_keeps_only_smaller_files(image_format: str) -> None:
    """The kept file must be at least one byte smaller."""
    source = SMALL[image_format]()
    size = len(keep(source, source_format=image_format.lower()) or b"")
    assert keep_below(source, source_format=image_format.lower(), pixels=0, below=size, time=CpuTime()) is None
    assert keep_below(source, source_format=image_format.lower(), pixels=0, below=size + 1, time=CpuTime()) is not None


@pytest.mark.parametrize("shift", range(0, 600, 25))
@pytest.mark.parametrize("optimize", [False, True])
def test_a_damaged_jpeg_does_not_end_the_process(shift: int, optimize: bool) -> None:
    """mozjpeg runs in another process, which some of these files end; each gives a picture or None."""
    jpeg = bytearray(encode(photo("coffee").resize((64, 48)), "JPEG", quality=50, optimize=optimize))
    jpeg[len(jpeg) - shift - 3] ^= 0x55
    kept = keep(bytes(jpeg), source_format="jpeg")
    assert kept is None or decode(kept).size == (64, 48)


@pytest.mark.parametrize("image_format", SMALL)
def test_keeps_no_picture_of_too_many_pixels(image_format: str) -> None:
    """Rewriting it would take more memory than a worker has."""
    source = SMALL[image_format]()
    assert (
        keep_below(source, source_format=image_format.lower(), pixels=16 * 1024 * 1024 + 1, below=10**9, time=CpuTime())
        is None
    )


@pytest.mark.parametrize("image_format", SMALL)
def test_keeping_a_kept_file_changes_nothing(image_format: str) -> None:
    """A second rewrite gives the same bytes."""
    once = keep(SMALL[image_format](), source_format=image_format.lower())
    assert once is not None
    assert keep(once, source_format=image_format.lower()) == once
    Image.open(io.BytesIO(once)).verify()
