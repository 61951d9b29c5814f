"""Pictures of two halves in every depth and colour model that docs/reference/picture-formats.md lists.

Black and white, or red and lime, which transparency hides.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from tests.support.other_pictures import bitmap, heic, icon, psd, svg
from tests.support.photographs import encode
from tests.support.picture_bytes import png_chunk
from tests.support.png_pictures import png_of
from tests.support.tiffs import packed_bits, pages_of, tiff_of

FIXTURES = Path(__file__).parents[1] / "fixtures/images"
WIDTH, HEIGHT = 32, 16
IS_RIGHT = np.mgrid[0:HEIGHT, 0:WIDTH][1] >= WIDTH // 2
RED, LIME = (255, 0, 0), (0, 255, 0)
COLOURS = np.where(IS_RIGHT[..., None], LIME, RED).astype(np.uint8)
RGB = Image.fromarray(COLOURS)
GREY = Image.fromarray(np.where(IS_RIGHT, 255, 0).astype(np.uint8))
ALPHA = Image.fromarray(np.where(IS_RIGHT, 0, 255).astype(np.uint8))
Make = Callable[[], bytes]
Samples = dict[tuple[str, str], Make]  # by bits and colour model, in the words of the table


def _numbers(bits: int) -> np.ndarray[Any, Any]:
    """0 on the left, and the highest number of these bits on the right."""
    return np.where(IS_RIGHT, 2**bits - 1, 0).astype(np.uint64)


def _palette(most: int = 2) -> Image.Image:
    numbers = Image.fromarray(IS_RIGHT.astype(np.uint8))
    numbers.putpalette([*RED, *LIME] + [9, 9, 9] * (most - 2))
    return numbers


def with_alpha(alpha: Image.Image, picture: Image.Image) -> Image.Image:
    """The picture with this transparency."""
    return Image.merge(picture.mode + "A", [*picture.split(), alpha])


def _ycck() -> bytes:
    """Libjpeg turns YCC into inks, which are stored inverted; Pillow inverts what it stores."""
    negative = Image.eval(RGB, lambda level: 255 - level).convert("YCbCr")
    inks = [Image.eval(band, lambda level: 255 - level) for band in negative.split()]
    source = encode(Image.merge("CMYK", [*inks, Image.new("L", RGB.size)]), "JPEG", quality=95)
    place = source.index(b"Adobe") + 11
    return source[:place] + b"\2" + source[place + 1 :]


def _transparent_grey_png(bits: int) -> bytes:
    key = (2**bits - 1).to_bytes(2, "big")
    return png_of(_numbers(bits)[..., None].astype(np.uint16), png_chunk(b"tRNS", key), depth=bits, colour=0)


def _pq() -> bytes:
    source = encode(RGB, "AVIF", quality=95)
    place = source.index(b"nclx") + 4
    return source[:place] + struct.pack(">HH", 9, 16) + source[place + 4 :]


def _bmp(bits: int, words: np.ndarray[Any, Any], palette: bytes = b"") -> bytes:
    body = b"".join(row.tobytes() for row in words[::-1])
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, bits, 0, len(body), 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<III", 0, 0, 54 + len(palette)) + head + palette + body


def _transparent_bmp() -> bytes:
    """The fourth byte is transparency if the header has a mask for it."""
    pixels = np.dstack([COLOURS[..., ::-1], np.asarray(ALPHA)])[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 108, WIDTH, HEIGHT, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return b"BM" + struct.pack("<III", 0, 0, 14 + 108) + (head + masks).ljust(108, b"\0") + pixels


def _indexed(bits: int) -> np.ndarray[Any, Any]:
    packed = np.frombuffer(packed_bits(IS_RIGHT.astype(np.uint8), bits), np.uint8)
    return packed.reshape(HEIGHT, -1)


BGR_PALETTE = b"\0\0\xff\0\0\xff\0\0"


def _tiff(bits: int) -> bytes:
    tags: Any = {256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 258: ("H", [bits]), 259: ("H", [1]), 262: ("H", [1])}
    return pages_of((tags | {277: ("H", [1]), 278: ("I", [HEIGHT])}, [packed_bits(_numbers(bits), bits)]))


def _heic(bits: int) -> bytes:
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        stream = io.BytesIO()
        samples = (COLOURS.astype(np.uint16) * 257).tobytes()
        pillow_heif.from_bytes("RGB;16", RGB.size, samples).save(stream, quality=-1, chroma=444)
        return stream.getvalue()
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = False


def of_depth(source: bytes, bits: int, *, channel: int = 0) -> bytes:
    """The JP2 with another depth of a channel, whose stored samples must fit it."""
    changed = bytearray(source)
    changed[source.index(b"\xff\x51") + 40 + 3 * channel] = bits - 1
    return bytes(changed)


def _jp2(bits: int) -> bytes:
    """Pillow writes 8 or 16 bits; a smaller depth moves the middle, which is stored as 0."""
    stored = 8 if bits <= 8 else 16
    levels = _numbers(bits) + 2 ** (stored - 1) - 2 ** (bits - 1)
    source = encode(Image.fromarray(levels.astype(np.uint8 if stored == 8 else np.uint16)), "JPEG2000")
    head = source.index(b"ihdr") + 14
    return of_depth(source[:head] + bytes([bits - 1]) + source[head + 1 :], bits)


def indexed_jp2(bits: int = 8) -> bytes:
    """Numbers of a palette of two colours, of so many bits each."""
    levels = IS_RIGHT + 128 - 2 ** (bits - 1)
    source = of_depth(encode(Image.fromarray(levels.astype(np.uint8)), "JPEG2000"), bits)
    head = source.index(b"ihdr") + 14
    source = source[:head] + bytes([bits - 1]) + source[head + 1 :]
    at = source.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", source, at)
    colr = source.index(b"colr")
    inner = source[at + 8 : colr + 7] + struct.pack(">I", 16) + source[colr + 11 : at + length]
    inner += box(b"pclr", struct.pack(">HB", 2, 3) + b"\7\7\7" + bytes([*RED, *LIME]))
    inner += box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, band) for band in range(3)))
    return source[:at] + box(b"jp2h", inner) + source[at + length :]


def box(name: bytes, body: bytes) -> bytes:
    """A box of an ISO file."""
    return struct.pack(">I4s", 8 + len(body), name) + body


def _tga(bits: int, words: np.ndarray[Any, Any]) -> bytes:
    return struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, WIDTH, HEIGHT, bits, 0) + words[::-1].tobytes()


def _icon(bits: int) -> bytes:
    mask = bytes(4 * HEIGHT)
    if bits <= 8:
        rows = b"".join(row.tobytes() + bytes(-row.size % 4) for row in _indexed(bits)[::-1])
        palette = BGR_PALETTE + bytes(4 * (2**bits - 2))
        return icon(bitmap(WIDTH, HEIGHT, rows, bits=bits, mask=mask, palette=palette), bits=bits)
    pixels = COLOURS[::-1, :, ::-1]
    if bits == 32:
        pixels = np.dstack([pixels, np.asarray(ALPHA)[::-1]])
    return icon(bitmap(WIDTH, HEIGHT, pixels.tobytes(), bits=bits, mask=mask), bits=bits)


def _masked_icon() -> bytes:
    hides_right = (b"\0\0\xff\xff") * HEIGHT
    return icon(bitmap(WIDTH, HEIGHT, COLOURS[::-1, :, ::-1].tobytes(), bits=24, mask=hides_right), bits=24)


def _pgm(bits: int) -> bytes:
    return (
        b"P5 %d %d %d\n" % (WIDTH, HEIGHT, 2**bits - 1) + _numbers(bits).astype(">u2" if bits > 8 else "u1").tobytes()
    )


def _pam() -> bytes:
    head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % (WIDTH, HEIGHT)
    return head + with_alpha(ALPHA, RGB).tobytes()


WORDS = np.where(IS_RIGHT, 0x3E0, 0x7C00).astype("<u2")  # five bits a colour
DASH = "\N{EN DASH}"
SAMPLES: dict[str, Samples] = {
    "jpeg": {
        ("8", "grey"): partial(encode, GREY, "JPEG"),
        ("8", "YCbCr"): partial(encode, RGB, "JPEG", quality=95),
        ("8", "RGB"): partial(encode, RGB, "JPEG", quality=95, keep_rgb=True),
        ("8", "CMYK"): partial(encode, RGB.convert("CMYK"), "JPEG", quality=95),
        ("8", "YCCK"): _ycck,
    },
    "png": {
        **{(str(bits), "grey with transparency"): partial(_transparent_grey_png, bits) for bits in (1, 2, 4, 8, 16)},
        **{(str(bits), "palette"): partial(encode, _palette(), "PNG", bits=bits) for bits in (1, 2, 4, 8)},
        ("8", "RGB with transparency"): partial(encode, with_alpha(ALPHA, RGB), "PNG"),
        ("16", "RGB"): partial(png_of, COLOURS.astype(np.uint16) * 257, depth=16),
    },
    "webp": {
        ("8", "RGB"): partial(encode, RGB, "WEBP", lossless=True),
        ("8", "RGB with transparency"): partial(encode, with_alpha(ALPHA, RGB), "WEBP"),
    },
    "avif": {
        ("8", "grey"): partial(encode, GREY, "AVIF"),
        ("8", "RGB with transparency"): partial(encode, with_alpha(ALPHA, RGB), "AVIF"),
        ("8", "HDR PQ"): _pq,
        ("10", "HDR HLG"): (FIXTURES / "limited-hlg-10-bit.avif").read_bytes,
        ("12", "RGB with transparency"): (FIXTURES / "12-bit-with-alpha.avif").read_bytes,
    },
    "gif": {
        **{(str(bits), "palette"): partial(encode, _palette(2**bits), "GIF", optimize=False) for bits in range(1, 9)},
        ("2", "palette with transparency"): partial(encode, _palette(4), "GIF", transparency=1),
    },
    "bmp": {
        **{(str(bits), "palette"): partial(_bmp, bits, _indexed(bits), BGR_PALETTE) for bits in (1, 2, 4, 8)},
        ("16", "RGB"): partial(_bmp, 16, WORDS),
        ("24", "RGB"): partial(encode, RGB, "BMP"),
        ("32", "RGB with transparency"): _transparent_bmp,
    },
    "tiff": {
        **{(str(bits), "grey"): partial(_tiff, bits) for bits in (*range(1, 17), 24, 32)},
        ("64", "grey"): partial(tiff_of, _numbers(1)[..., None].astype(np.float64), 1),
        ("floating point", "grey"): partial(tiff_of, _numbers(1)[..., None].astype(np.float32), 1),
        ("8", "palette"): partial(encode, _palette(), "TIFF"),
        ("8", "RGB with transparency"): partial(encode, with_alpha(ALPHA, RGB), "TIFF"),
        ("8", "CMYK"): partial(encode, RGB.convert("CMYK"), "TIFF"),
        ("8", "YCbCr"): partial(encode, RGB.convert("YCbCr"), "TIFF"),
        ("8", "Lab"): partial(encode, GREY.convert("RGB").convert("LAB"), "TIFF"),
    },
    "heic": {
        ("8", "grey"): partial(heic, GREY),
        ("8", "RGB with transparency"): partial(heic, with_alpha(ALPHA, RGB)),
        ("10", "RGB"): partial(_heic, 10),
        ("12", "RGB"): partial(_heic, 12),
    },
    "jp2": {
        **{(str(bits), "grey"): partial(_jp2, bits) for bits in range(1, 17)},
        ("8", "palette"): indexed_jp2,
        ("8", "RGB with transparency"): partial(encode, with_alpha(ALPHA, RGB), "JPEG2000"),
        ("8", "YCC"): partial(encode, RGB.convert("YCbCr"), "JPEG2000"),
        ("8", "CMYK"): partial(encode, RGB.convert("CMYK"), "JPEG2000"),
    },
    "psd": {
        ("1", "bitmap"): partial(psd, GREY.convert("1"), depth=1),
        ("8", "grey"): partial(psd, GREY),
        ("8", "duotone as grey"): lambda: psd(GREY)[:25] + b"\x08" + psd(GREY)[26:],
        ("8", "palette"): partial(psd, _palette()),
        ("8", "RGB with transparency"): partial(psd, RGB, alpha=ALPHA, layers=-1),
        ("16", "CMYK"): partial(psd, RGB.convert("CMYK"), depth=16),
        ("8", "Lab"): partial(psd, GREY.convert("RGB").convert("LAB")),
    },
    "tga": {
        ("8", "grey"): partial(encode, GREY, "TGA"),
        ("8", "palette"): partial(encode, _palette(), "TGA"),
        ("15", "RGB"): partial(_tga, 15, WORDS),
        ("16", "RGB"): partial(_tga, 16, WORDS),
        ("24", "RGB"): partial(encode, RGB, "TGA"),
        ("32", "RGB with transparency"): partial(encode, with_alpha(ALPHA, RGB), "TGA"),
    },
    "ico": {
        **{(str(bits), "palette"): partial(_icon, bits) for bits in (1, 4, 8)},
        ("24", "RGB with a mask"): _masked_icon,
        ("32", "RGB with transparency"): partial(_icon, 32),
        ("a PNG", "RGB"): lambda: icon(encode(RGB, "PNG")),
    },
    "pnm": {
        ("1", "black and white"): partial(encode, GREY.convert("1"), "PPM"),
        **{(str(bits), "grey"): partial(_pgm, bits) for bits in range(2, 17)},
        ("8", "RGB"): partial(encode, RGB, "PPM"),
        ("8", "PAM with transparency"): _pam,
    },
    "svg": {(DASH, DASH): svg},
}
