"""Hostile pictures of the formats that Pillow does not decode, or not alone; part of the table in `hostile_images`."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.support.other_pictures import SVG_NAMESPACE, bitmap, heic, icon, svg
from tests.support.photographs import encode
from tests.support.picture_bytes import png, png_chunk
from tests.unit import growing_inputs as growing

SIDE = 7071  # a square of this side is just below the pixel limit
# Squares of one colour: HEICs by `heic(..., quality=50)`, those of 7040 with `chroma=420`, without and with
# `tile_size=512`, a JPEG 2000 with tiles of 1024, an AVIF of speed 10. To encode them took longer than to try them.
FIXTURES = Path(__file__).parents[1] / "fixtures/images"
Case = tuple[Callable[[], bytes], str]


def _psd(side: int, *, channels: int, depth: int, layers: int = 1, resources: bytes = b"", colours: int = 3) -> bytes:
    """A Photoshop document of zeros, packed."""
    row = side * depth // 8
    packed = b"\x81\0" * (row // 128) + (bytes([257 - row % 128]) + b"\0" if row % 128 > 1 else b"\0\0" * (row % 128))
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, channels, side, side, depth, colours)
    counted = struct.pack(">h", layers) + bytes(2)
    section = bytes(8) + b"8BIMLr16" + struct.pack(">I", 4) + counted if depth == 16 else struct.pack(">I", 4) + counted
    sections = bytes(4) + struct.pack(">I", len(resources)) + resources + struct.pack(">I", len(section)) + section
    rows = side * channels
    return head + sections + struct.pack(">H", 1) + struct.pack(">H", len(packed)) * rows + packed * rows


def _tga(width: int, height: int, *, kind: int, bits: int, body: bytes) -> bytes:
    return struct.pack("<BBB5xHHHHBB", 0, 0, kind, 0, 0, width, height, bits, 8 if bits == 32 else 0) + body


def _large_tga(side: int) -> bytes:
    """A TGA whose runs go on in the next row, so that it is decoded twice."""
    pixels, colour = side * side, b"\1\2\3\4"
    return _tga(
        side, side, kind=10, bits=32, body=(b"\xff" + colour) * (pixels // 128) + bytes([127 + pixels % 128]) + colour
    )


def _modest_heic() -> bytes:
    """A HEIC that says it has 64 pixels, and has 16 million."""
    whole = bytearray((FIXTURES / "4096-squared.heic").read_bytes())
    for box in re.finditer(b"ispe", bytes(whole)):
        whole[box.end() + 4 : box.end() + 12] = struct.pack(">II", 8, 8)
    return bytes(whole)


def _vast_heic() -> bytes:
    whole = bytearray(heic(Image.new("RGB", (64, 64))))
    for box in re.finditer(b"ispe", bytes(whole)):
        whole[box.end() + 4 : box.end() + 12] = struct.pack(">II", 60_000, 60_000)
    return bytes(whole)


def _as_heic(avif: bytes) -> bytes:
    return avif.replace(b"ftypavif", b"ftypheic", 1).replace(b"avif", b"heic").replace(b"av01", b"hvc1")


def _jp2_of(width: int, height: int, *, tile: int) -> bytes:
    """A codestream whose header claims this size and these tiles."""
    whole = bytearray(encode(Image.new("RGB", (64, 64), (9, 99, 199)), "JPEG2000", no_jp2=True))
    whole[8:16] = struct.pack(">II", width, height)
    whole[24:32] = struct.pack(">II", tile, tile)
    return bytes(whole)


def _entities() -> bytes:
    levels = "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10))
    return f'<!DOCTYPE svg [<!ENTITY a0 "bbbbbbbbbb">{levels}]>'.encode() + svg("<text y='9'>&a9;</text>")


def _uses(levels: int) -> bytes:
    groups = "".join(f'<g id="a{n}">{f"""<use href="#a{n - 1}"/>""" * 10}</g>' for n in range(1, levels))
    return svg(f'<defs><g id="a0"><rect width="9" height="9"/></g>{groups}</defs><use href="#a{levels - 1}"/>')


def _filtered(body: str, side: int) -> bytes:
    shape = f'<rect filter="url(#f)" width="{side}" height="{side}" fill="red"/>'
    return svg(f'<filter id="f">{body}</filter>{shape}', f'width="{side}" height="{side}"')


def _paths(count: int) -> bytes:
    return svg(f'<path d="M0 0{"L9 9L1 7" * count}" stroke="red" stroke-width="9" stroke-dasharray="0.01"/>')


def _data(picture: bytes) -> bytes:
    return svg(f'<image width="64" height="32" href="data:image/png;base64,{base64.b64encode(picture).decode()}"/>')


_EMPTY_RESOURCE = b"8BIM" + struct.pack(">HHI", 1000, 0, 0)
CASES: dict[str, Case] = {
    "the largest packed PSD": (lambda: _psd(SIDE, channels=3, depth=8), "rendition"),
    "the largest packed PSD of 16 bits with transparency": (
        lambda: _psd(SIDE, channels=4, depth=16, layers=-1),
        "rendition",
    ),
    "a PSD of 300,000 squared": (
        lambda: struct.pack(">4sH6xHIIHH", b"8BPS", 2, 3, 300_000, 300_000, 8, 3) + bytes(16) + bytes(9999),
        "too_many_pixels",
    ),
    "a PSD of 4 million resources": (
        lambda: _psd(64, channels=3, depth=8, resources=_EMPTY_RESOURCE * 4_000_000),
        "unsupported_format",
    ),
    "a PSD of 1,000 channels": (lambda: _psd(64, channels=1000, depth=8), "corrupt_image"),
    "the largest TGA of runs beyond a row": (lambda: _large_tga(6324), "rendition"),
    "a TGA of runs beyond a row at the limit": (lambda: _large_tga(SIDE), "too_many_pixels"),
    "a TGA of 65,535 squared": (lambda: _tga(65535, 65535, kind=2, bits=24, body=bytes(99)), "too_many_pixels"),
    "a TGA at the limit without pixels": (lambda: _tga(SIDE, SIDE, kind=2, bits=24, body=b""), "truncated_image"),
    "an icon of 65,535 pictures": (
        lambda: struct.pack("<HHH", 0, 1, 65535) + struct.pack("<BBBBHHII", 9, 9, 0, 0, 1, 32, 9, 9) * 65535,
        "unsupported_format",
    ),
    "an icon of a PNG of 65,535 squared": (lambda: icon(png(65535, 65535)), "too_many_pixels"),
    "an icon of a PNG of 2 million texts": (
        lambda: icon(png(9, 9, png_chunk(b"tEXt", b"a\0b") * 2_000_000)),
        "unsupported_format",
    ),
    "an icon of a bitmap of 30,000 squared": (
        lambda: icon(bitmap(30_000, 30_000, bytes(99), bits=32)),
        "unsupported_format",
    ),
    "an icon of a bitmap of less than no size": (
        lambda: icon(bitmap(-9, -9, bytes(999), bits=32)),
        "unsupported_format",
    ),
    "the largest PGM": (lambda: b"P5 %d %d 255\n" % (SIDE, SIDE) + bytes(SIDE * SIDE), "rendition"),
    "the largest PBM": (lambda: b"P4 %d %d\n" % (SIDE, SIDE) + bytes(-(-SIDE // 8) * SIDE), "rendition"),
    "a PGM of 25 million samples of 16 bits": (lambda: b"P5 5000 5000 999\n" + bytes(50_000_000), "rendition"),
    "a PPM of a billion squared": (lambda: b"P6 999999999 999999999 255\n" + bytes(99), "too_many_pixels"),
    "a PPM of 50 MB of digits": (lambda: b"P3 4000 4000 255\n" + b"1 " * 25_000_000, "unsupported_format"),
    "a PPM of 16 MB of digits": (lambda: b"P3 1600 1600 255\n" + b"1 " * 8_000_000, "rendition"),
    "a PPM of 50 MB of comments": (lambda: b"P6" + b"#\n" * 25_000_000 + b"1 1 255\n123", "not_an_image"),
    "the largest HEIC": ((FIXTURES / "7040-squared.heic").read_bytes, "rendition"),
    "the largest HEIC of a grid": ((FIXTURES / "7040-squared-of-tiles.heic").read_bytes, "rendition"),
    "a HEIC that says it is small": (_modest_heic, "too_many_pixels"),
    "a HEIC that says it is large": (_vast_heic, "too_many_pixels"),
    "a HEIC of 100,000 locations": (lambda: _as_heic(growing.avif_of_locations(100_000)), "too_many_pixels"),
    "a HEIC of 100,000 items": (lambda: _as_heic(growing.avif_of_items(100_000)), "too_many_pixels"),
    "a HEIC of 100,000 references": (lambda: _as_heic(growing.avif_of_references(100_000)), "corrupt_image"),
    "a JP2 at the limit in one tile": (lambda: _jp2_of(SIDE, SIDE, tile=SIDE), "too_many_pixels"),
    "the largest JP2 of tiles": ((FIXTURES / "7071-squared-of-tiles.j2k").read_bytes, "rendition"),
    "a JP2 of 4 billion squared": (lambda: _jp2_of(2**32 - 1, 2**32 - 1, tile=2**32 - 1), "too_many_pixels"),
    "a JP2 of 49 million tiles": (lambda: _jp2_of(7000, 7000, tile=1), "corrupt_image"),
    "a JP2 of tiles of no size": (lambda: _jp2_of(7000, 7000, tile=0), "corrupt_image"),
    "the largest SVG": (lambda: svg(attributes=f'width="{SIDE}" height="{SIDE}"'), "rendition"),
    "an SVG of a billion squared": (lambda: svg(attributes='width="1e9" height="1e9"'), "too_many_pixels"),
    "an SVG whose view is a billion squared": (lambda: svg(attributes='viewBox="0 0 1e9 1e9"'), "too_many_pixels"),
    "an SVG of exponential entities": (_entities, "unsupported_format"),
    "an SVG of an entity in a file": (
        lambda: b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + svg("<text>&x;</text>"),
        "corrupt_image",
    ),
    "an SVG of exponential references": (lambda: _uses(12), "unsupported_format"),
    "an SVG that refers to itself": (lambda: svg('<g id="a"><use href="#a"/></g>'), "rendition"),
    "an SVG of a pattern in itself": (
        lambda: svg(
            '<pattern id="p" width="9" height="9"><rect width="9" height="9" fill="url(#p)"/></pattern>'
            '<rect width="64" height="32" fill="url(#p)"/>'
        ),
        "rendition",
    ),
    "an SVG of filters of hours": (
        lambda: _filtered(
            '<feGaussianBlur stdDeviation="900"/><feTurbulence numOctaves="10"/><feMorphology radius="500"/>', 4000
        ),
        "unsupported_format",
    ),
    "an SVG of turbulence": (lambda: _filtered('<feTurbulence numOctaves="100000000"/>', 2000), "rendition"),
    "an SVG of 2 million shapes": (lambda: svg("<rect/>" * 2_000_000), "unsupported_format"),
    "an SVG of 100,000 levels": (lambda: svg("<g>" * 100_000 + "</g>" * 100_000), "unsupported_format"),
    "an SVG of a million dashes": (lambda: _paths(100_000), "unsupported_format"),
    "an SVG of a picture of 65,535 squared": (lambda: _data(png(65535, 65535, depth=1, colour=0)), "too_many_pixels"),
    "an SVG of a large foreign object": (
        lambda: svg(
            "<foreignObject width='64' height='32'><html xmlns='http://www.w3.org/1999/xhtml'>"
            "<script>while(1);</script></html></foreignObject>"
        ),
        "unsupported_format",
    ),
    "an SVG that includes a file": (
        lambda: svg(
            '<text><i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/></text>'
        ),
        "rendition",
    ),
    "an SVG of comments without end": (lambda: b"<!--" + b"-" * 50_000_000, "not_an_image"),
    "an SVG of 50 MB of spaces": (lambda: svg(" " * 50_000_000), "rendition"),
    "an SVG without a size, of 16 bits a letter": (
        lambda: f"<svg {SVG_NAMESPACE}/>".encode("utf-16"),
        "unsupported_format",
    ),
    "an SVG of 16 bits a letter": (lambda: svg("<g/>").decode().encode("utf-16"), "rendition"),
}
