"""Inputs of any size that are made to be slow to read: a parser that needs more than linear time can stop a worker."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageCms

from tests.support.picture_bytes import HTML, exif, png, png_chunk, stuffed_jpeg, tiff


def padded_jpeg(count: int) -> bytes:
    """A JPEG segment, then padding without a marker."""
    return bytes.fromhex("FFD8FFE00002") + b"\xff" * count + bytes(100)


def padded_before_scan(count: int) -> bytes:
    """Runs of JPEG padding, each of which ends without the marker that should follow."""
    return bytes.fromhex("FFD8FFE00002") + (b"\xff" * 1000 + b"\0") * (count // 1001)


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def _full(name: bytes, body: bytes, *, version: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24) + body)


def _avif(*tables: bytes) -> bytes:
    head = _full(b"hdlr", bytes(4) + b"pict" + bytes(13)) + _full(b"pitm", b"\0\1")
    return _box(b"ftyp", b"avif" + bytes(4) + b"mif1avif") + _full(b"meta", head + b"".join(tables))


def avif_of_locations(count: int) -> bytes:
    """Item locations without data: libavif searches all earlier ones for each."""
    locations = b"".join(struct.pack(">IHHH", number + 1, 0, 0, 0) for number in range(count))
    return _avif(_full(b"iloc", b"\0\0" + struct.pack(">I", count) + locations, version=2))


def avif_of_items(count: int) -> bytes:
    """Items with names."""
    items = (_full(b"infe", struct.pack(">IH", n + 1, 0) + b"av01\0", version=3) for n in range(count))
    return _avif(_full(b"iinf", struct.pack(">I", count) + b"".join(items), version=1))


def avif_of_references(count: int) -> bytes:
    """References to items that do not exist."""
    return _avif(
        _full(b"iref", b"".join(_box(b"auxl", struct.pack(">HHH", n % 65_000 + 1, 1, 1)) for n in range(count)))
    )


def avif_of_associations(count: int) -> bytes:
    """Associations of items with properties."""
    associations = b"".join(struct.pack(">HB", number % 65_000 + 1, 0) for number in range(count))
    return _avif(_box(b"iprp", _box(b"ipco", b"") + _full(b"ipma", struct.pack(">I", count) + associations)))


def avif_of_boxes(count: int) -> bytes:
    """Nothing but empty boxes."""
    return _box(b"ftyp", b"avif" + bytes(12)) + _box(b"free", b"") * count


def avif_of_nested_boxes(count: int) -> bytes:
    """Nested boxes."""
    nested = b"".join(struct.pack(">I4s", 8 * (count - level), b"moov") for level in range(count))
    return _box(b"ftyp", b"avif" + bytes(12)) + nested


def profile_of_steps(count: int) -> bytes:
    """An sRGB profile with a floating-point transform of `count` steps, which share two step definitions."""
    matrix = b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, 0.9, 0.1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    curve = (
        b"curf" + bytes(4) + struct.pack(">HH", 1, 0) + b"parf" + bytes(4) + struct.pack(">HH4f", 0, 0, 1.01, 1, 0, 0)
    )
    curves = b"cvst" + bytes(4) + struct.pack(">HH", 3, 3) + struct.pack(">II", 36, len(curve)) * 3 + curve
    first = 16 + 8 * count
    places = ((first, len(matrix)), (first + len(matrix), len(curves)))
    table = b"".join(struct.pack(">II", *places[number % 2]) for number in range(count))
    steps = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + table + matrix + curves
    return _with_tag(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"D2B0", steps)


def _with_tag(profile: bytes, name: bytes, body: bytes) -> bytes:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(count)]
    tags = [(tag, profile[start : start + size]) for tag, start, size in entries] + [(name, body)]
    table, bodies, first = b"", b"", 132 + 12 * len(tags)
    for tag, data in tags:
        table += struct.pack(">4sII", tag, first + len(bodies), len(data))
        bodies += data + bytes(-len(data) % 4)
    made = bytearray(profile[:128] + struct.pack(">I", len(tags)) + table + bodies)
    made[:4], made[8:10] = struct.pack(">I", len(made)), b"\4\x40"
    return bytes(made)


def _file(image_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, image_format, **options)
    return stream.getvalue()


def webp_of_chunks(count: int) -> bytes:
    """A picture, then chunks of unknown kinds."""
    picture = _file("WEBP", lossless=True)[12:]
    head = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\7\0\0" * 2
    body = head + picture + b"abcd\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_of_one_comment(count: int) -> bytes:
    """One comment of `count` blocks."""
    picture = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x4c\1\0;"
    return b"GIF89a\1\0\1\0\0\0\0!\xfe" + (b"\xff" + bytes(255)) * count + b"\0" + picture


def tiff_of_tags(count: int) -> bytes:
    """Unknown tags."""
    return tiff(64, 64, *[(1000 + number, 3, 1, 1) for number in range(count)])


def tiff_of_shared_bytes(count: int) -> bytes:
    """Tags whose values are all the same 64 KiB of the file."""
    return tiff(64, 64, *[(1000 + number, 7, 2**16, 8) for number in range(count)]) + bytes(2**16)


def _text(count: int) -> bytes:
    return png_chunk(b"tEXt", b"a\0b") * count


def _photoshop(count: int) -> bytes:
    blocks = b"Photoshop 3.0\0" + (b"8BIM\4\4\0\0" + bytes(4)) * 5400
    return stuffed_jpeg(b"\xff\xed" + struct.pack(">H", 2 + len(blocks)) + blocks, segments=count)


def _transparent(count: int) -> bytes:
    colours = png_chunk(b"PLTE", bytes(768))
    return png(9, 9, colours, png_chunk(b"tRNS", b"\xff" * count), colour=3, body=zlib.compress(bytes(90)))


# Each input by its description, and a size that takes a few milliseconds to read.
IMAGES: dict[str, tuple[Callable[[int], bytes], int]] = {
    "a JPEG of padding without a marker": (padded_jpeg, 20_000),
    "a JPEG of broken padding": (padded_before_scan, 20_000),
    "a JPEG of long padding": (padded_jpeg, 2_000_000),
    "a JPEG of Photoshop blocks": (_photoshop, 5),
    "a JPEG of Exif": (lambda count: stuffed_jpeg(b"\xff\xe1\xff\xff" + exif(282, 5, 100), segments=count), 4),
    "a JPEG with a profile of steps": (lambda count: _file("JPEG", icc_profile=profile_of_steps(count)), 250),
    "a PNG with a profile of steps": (lambda count: _file("PNG", icc_profile=profile_of_steps(count)), 250),
    "a PNG of texts": (lambda count: png(9, 9, _text(count), body=zlib.compress(bytes(9 * 28))), 2000),
    "a PNG of a long text": (lambda count: png(9, 9, png_chunk(b"tEXt", b"a\0" * count)), 10_000),
    "a PNG of a long table of transparency": (_transparent, 500_000),
    "a PNG of many data chunks": (lambda count: png(99, 99, png_chunk(b"IDAT", b"\0") * count), 5000),
    "a WebP of chunks": (webp_of_chunks, 10_000),
    "an AVIF of locations": (avif_of_locations, 10_000),
    "an AVIF of items": (avif_of_items, 10_000),
    "an AVIF of references": (avif_of_references, 10_000),
    "an AVIF of property associations": (avif_of_associations, 10_000),
    "an AVIF of boxes": (avif_of_boxes, 20_000),
    "an AVIF of nested boxes": (avif_of_nested_boxes, 1000),
    "a GIF of one comment": (gif_of_one_comment, 4800),
    "a GIF of junk": (lambda count: b"GIF89a\1\0\1\0\0\0\0" + b"\1" * count, 4000),
    "a TIFF of tags": (tiff_of_tags, 900),
    "a TIFF of shared bytes": (tiff_of_shared_bytes, 250),
    "HTML of inputs": (lambda count: b"<html>" + b"<input type " * count, 1300),
    "HTML of one input": (lambda count: b"<html><input " + b"type " * count, 3200),
    "HTML of spaces": (lambda count: b"<input type" + b" " * count, 16_000),
    "SVG of comments": (lambda count: b"<!---->  " * count, 1800),
    "spaces": (lambda count: b" " * count + b"\0", 16_000),
    "repeated HTML": (lambda count: HTML * count, 200),
}
TEXTS: dict[str, tuple[Callable[[int], str], int]] = {
    "a long host": (lambda count: "http://" + "a" * count + "/", 16_000),
    "a host of labels": (lambda count: "http://" + "a." * count + "b/", 8000),
    "a host beyond ASCII": (lambda count: "http://" + "é" * count + "/", 8000),
    "a host of labels beyond ASCII": (lambda count: "http://" + "é." * count + "b/", 8000),
    "a host of digits": (lambda count: "http://" + "1" * count + "/", 16_000),
    "a host of colons": (lambda count: "http://[" + ":" * count + "]/", 16_000),
    "a path of dots": (lambda count: "http://a.example/" + "../" * count, 5000),
    "a path of slashes": (lambda count: "http://a.example" + "/" * count, 16_000),
    "a path of percents": (lambda count: "http://a.example/" + "%" * count, 16_000),
    "a path of escapes": (lambda count: "http://a.example/" + "%41" * count, 5000),
    "a path beyond ASCII": (lambda count: "http://a.example/" + "é" * count, 8000),
    "a query": (lambda count: "http://a.example/?" + "&=" * count, 8000),
    "user names": (lambda count: "http://" + "a@" * count + "b/", 8000),
    "a port": (lambda count: "http://a.example:" + "1" * count + "/", 16_000),
    "spaces": (lambda count: " " * count + "x", 16_000),
    "digits": (lambda count: "1" * count, 16_000),
    "a date of words": (lambda count: "Mon, " * count, 3000),
    "a date of parentheses": (lambda count: "(" * count, 16_000),
    "a date of numbers": (lambda count: "1 Jan 2026 " + "1:" * count, 8000),
    "quotes": (lambda count: '"' * count, 16_000),
    "a long entity-tag": (lambda count: 'W/"' + "a" * count, 16_000),
}
