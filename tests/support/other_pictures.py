"""Pictures of the formats that Pillow does not write: Photoshop documents, icons of bitmaps, SVG, HEIC."""

from __future__ import annotations

import io
import struct
from typing import Any

import pillow_heif
from PIL import Image

COLOURS = {"1": 0, "L": 1, "P": 2, "RGB": 3, "CMYK": 4, "LAB": 9}  # of a Photoshop document, by the mode of Pillow
SVG_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'


def heic(picture: Image.Image, **options: Any) -> bytes:
    """The picture as a HEIC file."""
    stream = io.BytesIO()
    defaults = {"quality": 95, "chroma": 444, "enc_params": {"preset": "ultrafast"}}
    pillow_heif.from_pillow(picture).save(stream, **(defaults | options))
    return stream.getvalue()


def svg(
    body: str = '<rect width="100%" height="100%" fill="red"/>', attributes: str = 'width="64" height="32"'
) -> bytes:
    """A drawing with this content; its first element has these attributes."""
    return f"<svg {SVG_NAMESPACE} {attributes}>{body}</svg>".encode()


def psd(
    picture: Image.Image,
    *,
    depth: int = 8,
    packed: bool = False,
    large: bool = False,
    alpha: Image.Image | None = None,
    layers: int = 1,
    resources: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """A Photoshop document (a PSB where `large`) whose composite is `picture`.

    `alpha` is a further channel; Photoshop takes it for transparency where `layers` is negative.
    """
    bands = [*picture.split()] + ([alpha] if alpha else [])
    if picture.mode == "CMYK":
        bands = [band.point(lambda ink: 255 - ink) for band in bands]
    planes = [_plane(band, depth) for band in bands]
    palette = _palette(picture) if picture.mode == "P" else b""
    blocks = b"".join(_resource(number, body) for number, body in resources)
    head = struct.pack(
        ">4sH6xHIIHH", b"8BPS", 2 if large else 1, len(bands), *picture.size[::-1], depth, COLOURS[picture.mode]
    )
    return b"".join(
        [
            head,
            struct.pack(">I", len(palette)) + palette,
            struct.pack(">I", len(blocks)) + blocks,
            _layers(layers, depth, large=large),
            _composite(planes, picture.height, packed=packed, large=large),
        ]
    )


def _plane(band: Image.Image, depth: int) -> bytes:
    if depth == 1:
        return band.point(lambda shade: 255 - shade).convert("1").tobytes()
    shades = band.tobytes()
    return shades if depth == 8 else bytes(byte for shade in shades for byte in (shade, shade ^ 0x5A))


def _palette(picture: Image.Image) -> bytes:
    colours = bytes(picture.getpalette() or []).ljust(768, b"\0")
    return b"".join(colours[band::3] for band in range(3))


def _resource(number: int, body: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + bytes(len(body) % 2)


def _layers(count: int, depth: int, *, large: bool) -> bytes:
    """The section of layers. A document of 16 bits has its count of layers in a block of its own."""
    size = ">Q" if large else ">I"
    counted = struct.pack(">h", count) + bytes(2)
    if depth == 16:
        section = struct.pack(size, 0) + struct.pack(">I", 0) + b"8BIMLr16" + struct.pack(size, 4) + counted
    else:
        section = struct.pack(size, 4) + counted + struct.pack(">I", 0)
    return struct.pack(size, len(section)) + section


def _composite(planes: list[bytes], height: int, *, packed: bool, large: bool) -> bytes:
    if not packed:
        return struct.pack(">H", 0) + b"".join(planes)
    rows = [
        _pack(plane[len(plane) // height * row : len(plane) // height * (row + 1)])
        for plane in planes
        for row in range(height)
    ]
    return (
        struct.pack(">H", 1) + b"".join(struct.pack(">I" if large else ">H", len(row)) for row in rows) + b"".join(rows)
    )


def _pack(row: bytes) -> bytes:
    """PackBits without runs: at most 128 bytes after each length."""
    return b"".join(bytes([len(row[at : at + 128]) - 1]) + row[at : at + 128] for at in range(0, len(row), 128))


def icon(*pictures: bytes, sizes: tuple[tuple[int, int], ...] = ((0, 0),), kind: int = 1, bits: int = 32) -> bytes:
    """An icon (a cursor where `kind` is 2) of these pictures, with the sizes that its directory states."""
    at = 6 + 16 * len(pictures)
    directory = b""
    for body, (width, height) in zip(pictures, sizes, strict=True):
        directory += struct.pack("<BBBBHHII", width, height, 0, 0, 1, bits, len(body), at)
        at += len(body)
    return struct.pack("<HHH", 0, kind, len(pictures)) + directory + b"".join(pictures)


def bitmap(width: int, height: int, pixels: bytes, *, bits: int, mask: bytes = b"", palette: bytes = b"") -> bytes:
    """A bitmap as icons have it: its height counts the mask, and its rows come from the bottom."""
    head = struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, bits, 0, len(pixels), 0, 0, len(palette) // 4, 0)
    return head + palette + pixels + mask
