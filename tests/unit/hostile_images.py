"""Hostile images by name; each must end in a rendition or a `CompressError`, in bounded memory.

As a program it takes names of cases (JSON), a memory limit and compress options (JSON). It compresses those cases and
prints a line of JSON for each: name, outcome, peak memory, CPU seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import lzma
import os
import random
import re
import resource
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageCms

from imgproc.core.errors import CompressError
from imgproc.core.process import limit_memory
from imgproc.pipeline.images.compress import CompressOptions, MemoryBudget, compress
from tests.support.photographs import encode
from tests.support.picture_bytes import HTML, exif, photo_bytes, png, png_chunk, stuffed_jpeg, tiff
from tests.support.tiffs import Tags, pages_of
from tests.unit import growing_inputs as growing
from tests.unit import hostile_formats

SOURCES = "HOSTILE_SOURCES"  # an environment variable
MOST_KEPT = 32 * 2**20
MAX_PIXELS = 50_000_000
MEMORY = MemoryBudget(0)
SIDE = 7071  # a square of this side is just below the pixel limit


def _zeros(size: int) -> bytes:
    """Many zeros in few bytes (RFC 1950): one compressed block, repeated."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(size % 2**20)) + packer.flush()
    return b"\x78\xda" + block * (size // 2**20) + rest + struct.pack(">HH", size % 65521, 1)


def _gif_at_the_corner() -> bytes:
    """A GIF at the limit, whose frame leaves a column; what it leaves is transparent, in four bytes a pixel."""
    whole = bytearray(_square(SIDE - 1, "P", "GIF"))
    whole[6:10] = struct.pack("<HH", SIDE, SIDE)
    return bytes(whole)


def _fax(compression: int, width: int, rows: int) -> bytes:
    """Noise as fax data, whose every row is damaged."""
    noise = random.Random(5).randbytes(3_000_000)
    tags: Tags = {256: ("I", [width]), 257: ("I", [rows]), 258: ("H", [1]), 259: ("H", [compression])}
    return pages_of((tags | {262: ("H", [0]), 277: ("H", [1]), 278: ("I", [rows])}, [noise]))


def _samples(count: int, bits: int, *, photometric: int, kind: int = 1, rows: int = 64) -> bytes:
    """The largest TIFF of samples that Pillow does not read, in strips that all say the same zeros."""
    strips = -(-SIDE // rows)
    strip = _zeros((SIDE * count * bits + 7) // 8 * rows)
    tags: Tags = {256: ("I", [SIDE]), 257: ("I", [SIDE]), 258: ("H", [bits] * count), 259: ("H", [8])}
    tags |= {262: ("H", [photometric]), 277: ("H", [count]), 278: ("I", [rows]), 339: ("H", [kind] * count)}
    extras = count - {1: 1, 2: 3, 5: 4, 8: 3}[photometric]
    return pages_of((tags | ({338: ("H", [1] * extras)} if extras else {}), [strip] * strips))


def _runs_of_a_bmp() -> bytes:
    """The largest picture, with as many run lengths as are allowed."""
    runs = b"\1\5" * 500_000
    header = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<III", 0, 0, 54 + 1024) + header + bytes(1024) + runs + b"\0\1"


def _frames(image_format: str, count: int) -> bytes:
    frames = [Image.new("L", (64, 64), number % 256) for number in range(count)]
    return encode(frames[0], image_format, save_all=True, append_images=frames[1:])


def _gif_of_large_frames() -> bytes:
    """200 frames; the header of each claims the largest size below the limit."""
    head = b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, SIDE, SIDE, 0) + b"\x02\x02\x4c\x01\x00"
    return head + frame * 200 + b";"


def _endless_ifds() -> bytes:
    """A TIFF whose directories form a cycle."""
    whole = tiff(8, 8, (273, 4, 1, 8), (279, 4, 1, 64))
    return whole[:-4] + struct.pack("<I", 8) + bytes(64)


def _jpeg_header(width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    """A small JPEG that claims a size."""
    whole = encode(Image.new(mode, (16, 16)), "JPEG", **options)
    claim = rb"\g<1>" + struct.pack(">HH", height, width)
    return re.sub(rb"(\xff[\xc0\xc2]...)....", claim, whole, count=1, flags=re.DOTALL)


def _scan_bomb(scans: int) -> bytes:
    whole = encode(Image.new("L", (4000, 4000), 128), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * scans + whole[-2:]


def _square(side: int, mode: str, image_format: str, **options: object) -> bytes:
    return encode(Image.new(mode, (side, side)), image_format, **options)


def _largest(mode: str, image_format: str, **options: object) -> bytes:
    return _square(SIDE, mode, image_format, **options)


def _fixture(name: str) -> Callable[[], bytes]:
    return (Path(__file__).parents[1] / "fixtures/images" / name).read_bytes


def _packed(name: str) -> Callable[[], bytes]:
    """A square of one colour, as `_square` makes it; to encode it took longer than to try it.

    The name tells its side, mode and options; "extras" are `_all_extras()`. TIFFs have `compression="tiff_deflate"`,
    the AVIF `speed=10` and WebPs `method=0`.
    """
    packed = _fixture(f"packed/{name}.xz")
    return lambda: lzma.decompress(packed())


def _modest_avif() -> bytes:
    """An AVIF whose boxes claim 8 bits, but whose pictures have 12; the decoder allocates what the pictures need."""
    avif = bytearray(_fixture("12-bit-with-alpha.avif")())
    for box in re.finditer(b"av1C", avif):
        avif[box.end() + 2] &= 0x9F
    for box in re.finditer(b"pixi", avif):
        first = box.end() + 5
        avif[first : first + avif[first - 1]] = bytes([8]) * avif[first - 1]
    return bytes(avif)


def _one_strip(side: int, *, bits: int) -> bytes:
    """An RGBA TIFF in one strip, so that the decoder must hold all rows at once."""
    return _deflated_tiff(side, side * side * bits // 2, (278, 4, 1, side), bits=bits)


def _tables(count: int) -> bytes:
    """Exif of one table, whose every tag is that table again."""
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + struct.pack("<HHII", 0x8769, 4, 1, 8) * count


def _tiff_in_a_large_tile() -> bytes:
    side = 20_000
    return _deflated_tiff(64, side * side * 4, (322, 4, 1, side), (323, 4, 1, side), bits=8, places=(324, 325))


def _deflated_tiff(
    side: int, size: int, *entries: tuple[int, int, int, int], bits: int, places: tuple[int, int] = (273, 279)
) -> bytes:
    """An RGBA TIFF with one strip or tile of `size` zeros."""
    body, tags = _zeros(size), 12 + len(entries)
    depths = 8 + 2 + 12 * tags + 4
    described = ((258, 3, 4, depths), (259, 3, 1, 8), (262, 3, 1, 2), (277, 3, 1, 4), (338, 3, 1, 2), (284, 3, 1, 1))
    where = ((places[0], 4, 1, depths + 8), (places[1], 4, 1, len(body)))
    whole = tiff(side, side, *described, *where, *entries)
    return whole[:depths].ljust(depths, b"\0") + struct.pack("<4H", *[bits] * 4) + body


def _noisy_png() -> bytes:
    """A PNG of the largest number of pixels and bytes that pass: noise above, black below."""
    noise, packer = random.Random(1).randbytes(48 * 1024 * 1024), zlib.compressobj(1)
    rows = (noise[row : row + 4 * SIDE].ljust(4 * SIDE, b"\0") for row in range(0, 4 * SIDE * SIDE, 4 * SIDE))
    body = b"".join(packer.compress(b"\0" + row) for row in rows) + packer.flush()
    return png(SIDE, SIDE, colour=6, body=body)


def _noise(side: int, *, depth: int) -> bytes:
    """Random pixels of `depth` bits, with a random palette of colours and transparency."""
    chance, count = random.Random(2), 2**depth
    colours = png_chunk(b"PLTE", chance.randbytes(3 * count)) + png_chunk(b"tRNS", chance.randbytes(count))
    rows = (b"\0" + chance.randbytes(-(-side * depth // 8)) for _ in range(side))
    return png(side, side, colours, depth=depth, colour=3, body=zlib.compress(b"".join(rows), 1))


def _noisy_jpeg() -> bytes:
    noise = Image.frombytes("RGB", (SIDE, SIDE), random.Random(3).randbytes(3 * SIDE * SIDE))
    return encode(noise, "JPEG", quality=40)


def _waves(side: int) -> bytes:
    """Soft gradients in every channel: the worst case for lossless transparency."""
    small = Image.frombytes("RGBA", (side // 8, side // 8), random.Random(4).randbytes(4 * (side // 8) ** 2))
    return encode(small.resize((side, side), Image.Resampling.BICUBIC), "PNG", compress_level=1)


def _tiff_of_parts(*entries: tuple[int, int, int, int], places: int) -> bytes:
    whole = tiff(64, 64, *entries, (places, 4, 10_000_000, 999))
    return whole.ljust(999, b"\0") + bytes(40_000_000)


def _all_extras() -> dict[str, Any]:
    """Options for a picture on its side, with a colour profile that swaps red and green."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return {"exif": exif, "icc_profile": swapped_profile()}


def swapped_profile() -> bytes:
    """The sRGB profile with red and green exchanged."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


_LOSSLESS_WEBP = bytes.fromhex("524946461a000000574542505650384c0d0000002f9e9be716071011118888fe0700")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><image href="file:///etc/passwd"/></svg>'
XML_BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><svg>&c;</svg>'
Case = tuple[Callable[[], bytes], str]
CASES: dict[str, Case] = {
    # Too many pixels: refused by the header, before anything is decoded.
    "a PNG of 65,535 squared in 100 bytes": (lambda: png(65535, 65535), "too_many_pixels"),
    "a PNG of the largest size in the format": (lambda: png(2**31 - 1, 2**31 - 1), "too_many_pixels"),
    "a PNG of a billion pixels, whole": (
        lambda: png(32000, 32000, depth=1, colour=0, body=_zeros(32000 * 4001)),
        "too_many_pixels",
    ),
    "a PNG just above the limit": (lambda: png(SIDE + 1, SIDE, depth=1, colour=0), "too_many_pixels"),
    "a JPEG of 65,500 squared": (lambda: _jpeg_header(65500, 65500), "too_many_pixels"),
    "a BMP of 2 billion pixels a side": (
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, *[0] * 6),
        "too_many_pixels",
    ),
    "a TIFF of 100,000 squared": (lambda: tiff(100_000, 100_000, (273, 4, 1, 8), (279, 4, 1, 8)), "too_many_pixels"),
    "a GIF of 65,535 squared": (
        lambda: b"GIF89a\xff\xff\xff\xff\0\0\0," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x4c\1\0;",
        "too_many_pixels",
    ),
    "a GIF whose frame is larger than its screen": (
        lambda: b"GIF89a\1\0\1\0\0\0\0," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\2\2\x4c\1\0;",
        "too_many_pixels",
    ),
    "a WebP canvas of 16,777,216 squared": (
        lambda: b"RIFF\xf8\3\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0" + b"\xff" * 6 + bytes(1000),
        "too_many_pixels",
    ),
    # The largest that pass: they need the most memory.
    "the largest RGBA PNG": (_packed("7071-rgba.png"), "rendition"),
    "the largest 16-bit PNG": (lambda: _largest("I;16", "PNG"), "rendition"),
    "the largest palette PNG": (lambda: _largest("P", "PNG", transparency=0), "rendition"),
    "the largest JPEG": (lambda: _largest("RGB", "JPEG"), "rendition"),
    "the largest progressive JPEG": (_packed("7071-progressive.jpg"), "rendition"),
    "the largest CMYK JPEG": (lambda: _largest("CMYK", "JPEG"), "rendition"),
    "the largest CMYK TIFF": (_packed("7071-cmyk.tiff"), "rendition"),
    "the largest floating-point TIFF": (_packed("7071-float.tiff"), "rendition"),
    "the largest GIF": (lambda: _largest("P", "GIF"), "rendition"),
    "the largest grey PNG with transparency": (_packed("7071-grey-alpha.png"), "rendition"),
    "the largest RGBA PNG with all extras": (_packed("7071-rgba-extras.png"), "rendition"),
    "the largest PNG in 50 MiB": (_noisy_png, "rendition"),
    "the largest PNG of 16 bits with a transparent colour": (
        lambda: png(SIDE, SIDE, png_chunk(b"tRNS", bytes(6)), depth=16, body=_zeros(SIDE * (6 * SIDE + 1))),
        "rendition",
    ),
    "the largest PNG of 16-bit grey with a transparent colour": (
        lambda: png(SIDE, SIDE, png_chunk(b"tRNS", bytes(2)), depth=16, colour=0, body=_zeros(SIDE * (2 * SIDE + 1))),
        "rendition",
    ),
    "the largest PNG with a wrong checksum": (
        lambda: png(SIDE, SIDE, colour=6, body=_zeros(SIDE * (4 * SIDE + 1))[:-4] + bytes(4)),
        "rendition",
    ),
    "the largest HDR PNG": (
        lambda: png(SIDE, SIDE, png_chunk(b"cICP", b"\x09\x10\0\1"), body=_zeros(SIDE * (3 * SIDE + 1))),
        "rendition",
    ),
    "the largest JPEG with all extras": (lambda: _largest("RGB", "JPEG", **_all_extras()), "rendition"),
    "the largest TIFF with all extras": (_packed("7071-rgba-extras.tiff"), "rendition"),
    "the largest GIF with transparency": (lambda: _largest("P", "GIF", transparency=0), "rendition"),
    "the largest progressive JPEG, nothing subsampled": (_packed("7040-progressive-full-chroma.jpg"), "rendition"),
    # Some decoders hold a picture more than once, so the largest that pass are smaller.
    "the largest progressive CMYK JPEG": (_packed("6215-progressive-cmyk.jpg"), "rendition"),
    "the largest TIFF in one strip": (lambda: _one_strip(6614, bits=8), "rendition"),
    "the largest TIFF in one strip of 16 bits": (lambda: _one_strip(5400, bits=16), "rendition"),
    "the largest AVIF with transparency": (_packed("4537-rgba.avif"), "rendition"),
    "the largest AVIF of 12 bits": (_fixture("12-bit-with-alpha.avif"), "rendition"),
    "the largest AVIF of 12 bits that claims 8": (_modest_avif, "rendition"),
    "the largest WebP": (_packed("5400-rgba.webp"), "rendition"),
    "the largest lossless WebP": (_packed("5400-lossless.webp"), "rendition"),
    "a progressive JPEG at the limit, nothing subsampled": (
        lambda: _jpeg_header(SIDE, SIDE, progressive=True, subsampling=0),
        "too_many_pixels",
    ),
    "a progressive CMYK JPEG at the limit": (
        lambda: _jpeg_header(SIDE, SIDE, "CMYK", progressive=True),
        "too_many_pixels",
    ),
    "a TIFF at the limit in one strip": (lambda: _one_strip(SIDE, bits=8), "too_many_pixels"),
    "a TIFF at the limit in one strip of 16 bits": (lambda: _one_strip(SIDE, bits=16), "too_many_pixels"),
    "a small TIFF in a tile of 400 million pixels": (_tiff_in_a_large_tile, "too_many_pixels"),
    "an AVIF at the limit": (_fixture("7071-squared.avif"), "too_many_pixels"),
    "a WebP at the limit": (_packed("7071.webp"), "too_many_pixels"),
    "a lossless WebP at the limit in 34 bytes": (lambda: _LOSSLESS_WEBP, "too_many_pixels"),
    "a row wider than WebP and AVIF hold": (lambda: encode(Image.new("L", (80_000, 1)), "PNG"), "rendition"),
    "a column higher than WebP holds": (lambda: encode(Image.new("RGB", (1, 40_000)), "PNG"), "rendition"),
    # Slow to encode.
    "the largest noise of 16 colours, with transparency": (lambda: _noise(SIDE, depth=4), "rendition"),
    "the largest noise of two colours, with transparency": (lambda: _noise(SIDE, depth=1), "rendition"),
    "the largest JPEG of noise": (_noisy_jpeg, "rendition"),
    "waves of colour and transparency, 3,000 squared": (lambda: _waves(3000), "rendition"),
    "noise of 16 colours and transparency, 2,000 squared": (lambda: _noise(2000, depth=4), "rendition"),
    "one pixel high and very wide": (lambda: encode(Image.new("L", (65500, 1)), "JPEG"), "rendition"),
    # Animations and pages: only the first frame or page is used.
    "an animated GIF of 2,000 frames": (lambda: _frames("GIF", 2000), "rendition"),
    "a GIF of 200 empty frames at the limit": (_gif_of_large_frames, "truncated_image"),
    "an animated PNG of 500 frames": (lambda: _frames("PNG", 500), "rendition"),
    "an animated PNG that claims four billion frames": (
        lambda: png(8, 8, png_chunk(b"acTL", b"\xff" * 8), body=zlib.compress(bytes(8 * 25))),
        "rendition",
    ),
    "an animated WebP of 200 frames": (lambda: _frames("WEBP", 200), "rendition"),
    "a TIFF of 500 pages": (lambda: _frames("TIFF", 500), "rendition"),
    "a TIFF whose pages form a cycle": (_endless_ifds, "rendition"),
    # Compressed text and profiles.
    "a PNG text of 1 GiB": (lambda: png(9, 9, png_chunk(b"zTXt", b"a\0\0" + _zeros(2**30))), "truncated_image"),
    "a PNG profile of 1 GiB": (lambda: png(9, 9, png_chunk(b"iCCP", b"a\0\0" + _zeros(2**30))), "truncated_image"),
    "a PNG international text of 1 GiB": (
        lambda: png(9, 9, png_chunk(b"iTXt", b"a\0\1\0\0\0" + _zeros(2**30))),
        "truncated_image",
    ),
    "1,000 PNG texts of 1 MiB": (
        lambda: png(9, 9, *[png_chunk(b"zTXt", b"a\0\0" + _zeros(2**20))] * 1000),
        "truncated_image",
    ),
    "PNG pixels of 1 GiB for 9 x 9": (lambda: png(9, 9, body=_zeros(2**30)), "rendition"),
    "a JPEG profile that is not one": (lambda: photo_bytes("JPEG", icc_profile=b"\xff" * 60_000), "rendition"),
    # Truncated, with false lengths, or costly.
    "half a JPEG": (lambda: photo_bytes("JPEG")[:2000], "truncated_image"),
    "half a WebP": (lambda: photo_bytes("WEBP")[:1000], "truncated_image"),
    "a PNG without pixels": (lambda: png(9, 9), "truncated_image"),
    "a PNG chunk that claims 4 GiB": (lambda: png(9, 9)[:33] + b"\xff\xff\xff\xffIDAT", "truncated_image"),
    "a TIFF strip beyond the file": (
        lambda: tiff(64, 64, (273, 4, 1, 2**32 - 2), (279, 4, 1, 2**31)),
        "truncated_image",
    ),
    "a TIFF tag of 4 billion values": (lambda: tiff(64, 64, (273, 4, 2**32 - 1, 8)), "corrupt_image"),
    # Many parts: Pillow reads each one in Python and keeps it.
    "a JPEG of 12 million empty segments": (lambda: stuffed_jpeg(b"\xff\xe1\0\2"), "unsupported_format"),
    "a JPEG of 12 million empty comments": (lambda: stuffed_jpeg(b"\xff\xfe\0\2"), "unsupported_format"),
    "a JPEG of 3 million frames": (
        lambda: stuffed_jpeg(b"\xff\xc0\0\x0b\x08\0\x08\0\x08\1\1\x11\0"),
        "unsupported_format",
    ),
    "a JPEG of 50 MB of padding": (lambda: stuffed_jpeg(b"\xff"), "unsupported_format"),
    "a JPEG of 50 MB of junk": (lambda: stuffed_jpeg(b"\0"), "unsupported_format"),
    "a JPEG of 700 Exif segments": (
        lambda: stuffed_jpeg(b"\xff\xe1\xff\xffExif\0\0" + bytes(65527)),
        "unsupported_format",
    ),
    "a JPEG of 700 unknown segments": (lambda: stuffed_jpeg(b"\xff\xe9\xff\xff" + bytes(65533)), "rendition"),
    "a JPEG of 15 Exif segments, with a table of 8,000 resolutions": (
        lambda: stuffed_jpeg(b"\xff\xe1\xff\xff" + exif(282, 5, 8000), segments=15),
        "rendition",
    ),
    "a JPEG of 2 million bytes of padding and no marker": (
        lambda: bytes.fromhex("FFD8FFE00002") + b"\xff" * 2_000_000 + bytes(100),
        "unsupported_format",
    ),
    "an AVIF of 100,000 locations": (lambda: growing.avif_of_locations(100_000), "unsupported_format"),
    "an AVIF of 100,000 items": (lambda: growing.avif_of_items(100_000), "unsupported_format"),
    "an AVIF of 100,000 references": (lambda: growing.avif_of_references(100_000), "unsupported_format"),
    "an AVIF of as many references as pass": (lambda: growing.avif_of_references(3500), "corrupt_image"),
    "a JPEG with a profile of 10,000 steps": (
        lambda: photo_bytes("JPEG", icc_profile=growing.profile_of_steps(10_000)),
        "rendition",
    ),
    "a WebP of 6 million chunks": (lambda: growing.webp_of_chunks(6_000_000), "unsupported_format"),
    "a PNG with a table of 20 million orientations": (
        lambda: png(9, 9, png_chunk(b"eXIf", exif(274, 3, 20_000_000)[6:]), body=zlib.compress(bytes(9 * 28))),
        "rendition",
    ),
    "a PNG with a table of 65,535 tables": (
        lambda: png(9, 9, png_chunk(b"eXIf", _tables(65_535)), body=zlib.compress(bytes(9 * 28))),
        "rendition",
    ),
    "a PNG of 2 million texts": (
        lambda: png(9, 9, png_chunk(b"tEXt", b"a\0b") * 2_000_000),
        "unsupported_format",
    ),
    "a PNG of 3 million bytes of pixels, a chunk each": (
        lambda: png(999, 999, png_chunk(b"IDAT", b"\0") * 3_000_000),
        "unsupported_format",
    ),
    "a GIF of 9 million comments": (lambda: b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\1a\0" * 9_000_000, "unsupported_format"),
    "a GIF of 50 MB of junk": (lambda: b"GIF89a\1\0\1\0\0\0\0" + b"\1" * 50_000_000, "unsupported_format"),
    "the largest GIF of a frame in a corner": (_gif_at_the_corner, "rendition"),
    "fax data of group 3 whose every row is damaged": (lambda: _fax(3, 700, 60_000), "corrupt_image"),
    "fax data of group 4 whose every row is damaged": (lambda: _fax(4, 700, 60_000), "corrupt_image"),
    "fax data of a million rows": (lambda: _fax(4, 1, 1_000_000), "unsupported_format"),
    "the largest TIFF of CMYK and transparency in 16 bits": (lambda: _samples(5, 16, photometric=5), "rendition"),
    "the largest TIFF of RGB and associated transparency in 16 bits": (
        lambda: _samples(4, 16, photometric=2),
        "rendition",
    ),
    "the largest TIFF of RGB in floating point": (lambda: _samples(3, 32, photometric=2, kind=3), "rendition"),
    "the largest TIFF of Lab in 16 bits": (lambda: _samples(3, 16, photometric=8), "rendition"),
    "the largest TIFF of RGB in 12 bits": (lambda: _samples(3, 12, photometric=2), "rendition"),
    "a TIFF of RGB and transparency in double precision at the limit": (
        lambda: _samples(4, 64, photometric=2, kind=3),
        "too_many_pixels",
    ),
    "a BMP of half a million runs": (_runs_of_a_bmp, "rendition"),
    "a TIFF of 10 million strips": (lambda: _tiff_of_parts((278, 4, 1, 1), places=273), "unsupported_format"),
    "a TIFF of 10 million tiles": (
        lambda: _tiff_of_parts((322, 3, 1, 1), (323, 3, 1, 1), places=324),
        "unsupported_format",
    ),
    "a TIFF whose 1,000 tags share 4 MiB": (
        lambda: tiff(64, 64, *[(40_000 + n, 1, 2**22, 8) for n in range(1000)]) + bytes(2**22),
        "corrupt_image",
    ),
    "a progressive JPEG of 1,000 scans": (lambda: _scan_bomb(1000), "unsupported_format"),
    "a progressive JPEG of 90 scans": (lambda: _scan_bomb(80), "rendition"),
    "a run-length BMP of 30 million pixels": (
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 9, 0, 0, 1078, 40, 6000, 5000, 1, 8, 1, *[0] * 5) + bytes(9999),
        "truncated_image",
    ),
    "an AVIF of nothing but boxes": (
        lambda: b"\0\0\0\x18ftypavif" + bytes(12) + b"\0\0\0\x08free" * 9999,
        "truncated_image",
    ),
    # Files of two kinds at once, and of another kind than they seem.
    "a JPEG that is also a web page": (lambda: photo_bytes("JPEG", comment=HTML), "rendition"),
    "a GIF that is also a script": (lambda: b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)", "truncated_image"),
    "a JPEG followed by a ZIP": (lambda: photo_bytes("JPEG") + b"PK\3\4" + bytes(1000), "rendition"),
    "a PNG followed by a script": (lambda: photo_bytes("PNG") + HTML, "rendition"),
    "SVG": (lambda: SVG, "unsupported_format"),
    "SVG after 60,000 spaces": (lambda: b" " * 60_000 + SVG, "unsupported_format"),
    "an XML bomb": (lambda: XML_BOMB, "unsupported_format"),
    "HTML": (lambda: HTML, "not_an_image"),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file", "not_an_image"),
    "EPS in a Windows wrapper": (lambda: b"\xc5\xd0\xd3\xc6" + bytes(26) + b"%!PS-Adobe", "not_an_image"),
    "PDF": (lambda: b"%PDF-1.7\n1 0 obj<</JS(app.alert(1))>>", "not_an_image"),
    "a Windows program": (lambda: b"MZ" + bytes(300), "not_an_image"),
    "a Photoshop file": (lambda: b"8BPS\0\1" + bytes(20), "corrupt_image"),
    "an icon": (lambda: b"\0\0\1\0\1\0" + bytes(20), "corrupt_image"),
    "a JPEG signature alone": (lambda: b"\xff\xd8\xff", "truncated_image"),
    "an empty file": (lambda: b"", "not_an_image"),
    "50 MiB of zeros": (lambda: bytes(50 * 1024 * 1024), "not_an_image"),
    "50 MiB of markup": (lambda: b"<" * (50 * 1024 * 1024), "not_an_image"),
    **hostile_formats.CASES,
}


def run(source: bytes, **options: Any) -> str:
    """The outcome: "rendition", or the error code; options default to those of an upload."""
    try:
        compress(source, options=CompressOptions(**options), max_pixels=MAX_PIXELS, memory=MEMORY)
    except CompressError as error:
        return error.code
    return "rendition"


def main(names: list[str], limit: int, options: dict[str, Any]) -> None:
    """Try the cases, each in a forked child, which inherits the loaded libraries and the source."""
    warm()
    for name in names:
        measured = measure(made(name), limit=limit, **options)
        sys.stdout.write(json.dumps({"name": name} | measured) + "\n")
        if measured["outcome"].startswith("died"):
            sys.exit(f"{name}: the process {measured['outcome']}")


def warm() -> None:
    """Load the libraries that a worker has loaded, except libvips, which does not survive a fork."""
    for image_format in ("jpeg", "webp", "avif", "png"):
        run(photo_bytes("PNG"), format=image_format)


def made(name: str) -> bytes:
    """The source of a case, made in another process, so that this one keeps none of the memory that it took.

    If the environment names a folder in `SOURCES`, sources that are not large are kept there for other processes.
    """
    if SOURCES not in os.environ:
        return _made_in_a_child(CASES[name][0])
    kept = Path(os.environ[SOURCES], hashlib.sha256(name.encode()).hexdigest())
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be making it
        if kept.exists():
            return kept.read_bytes()
        source = _made_in_a_child(CASES[name][0])
        if len(source) <= MOST_KEPT:
            kept.write_bytes(source)
        return source


def _made_in_a_child(make: Callable[[], bytes]) -> bytes:
    with tempfile.TemporaryFile() as file:
        if (child := os.fork()) == 0:
            file.write(make())
            file.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0
        file.seek(0)
        return file.read()


def measure(source: bytes, *, limit: int, **options: Any) -> dict[str, Any]:
    """Compress `source` in a child: the outcome, the peak memory in bytes, and CPU seconds.

    `beyond` is the peak minus the memory of the idle child without the source.
    """
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        limit_memory(limit)
        idle = _memory("VmRSS") - len(source)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak: proc(5)
        outcome = run(source, **options)
        seconds = sum(os.times()[:4])
        peak = max(_memory("VmHWM"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
        line = {"outcome": outcome, "peak": peak, "beyond": peak - idle, "seconds": seconds, "bytes": len(source)}
        os.write(writer, json.dumps(line).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        result = pipe.read()
    _, status = os.waitpid(child, 0)
    died = {"outcome": f"died with {os.waitstatus_to_exitcode(status)}", "peak": 0, "beyond": 0, "seconds": 0.0}
    if status:
        return died
    measured: dict[str, Any] = json.loads(result)
    return measured


def _memory(what: str) -> int:
    """A memory figure of this process in bytes, by its name in /proc/self/status."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
