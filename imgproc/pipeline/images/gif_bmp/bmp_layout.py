"""The header of a BMP, and whether Pillow reads its pixels (MS-WMF 2.2.2; the measure is what Chromium shows).

Pillow lacks bit masks other than a few, two bits a pixel, the transparency of 16 bits, and OS/2 headers of 16 bytes.
It decodes run lengths in Python, byte by byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from imgproc.core.errors import CompressError

RAW, RLE8, RLE4, BIT_MASKS, IN_JPEG, IN_PNG, ALPHA_MASKS = 0, 1, 2, 3, 4, 5, 6
HEADER_AT = 14
OS2, WITH_COLOUR_SPACE, WITH_PROFILE = 64, 108, 124  # bytes of a header
EMBEDDED = b"DEBM"  # the mark of a profile
PILLOWS_HEADERS = {12, 40, 52, 56, 64, 108, 124}
RUN_LENGTHS = {(RLE8, 8), (RLE4, 4)}
MAX_RUN_BYTES = 1024 * 1024  # of run lengths, which are decoded in Python
PILLOWS_MASKS = {
    32: {
        (0xFF0000, 0xFF00, 0xFF, 0x0), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF000000, 0xFF0000, 0xFF00, 0x0), (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    },
    16: {(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)},
}  # fmt: skip


@dataclass(frozen=True)
class BmpLayout:
    """Sides in pixels, bits a pixel, and where the palette and the pixels start."""

    width: int
    height: int
    is_top_down: bool
    bits: int
    compression: int
    masks: tuple[int, int, int, int]  # of red, green, blue and transparency
    palette_at: int
    palette_bytes: int
    entry_bytes: int  # of a colour of the palette
    pixels_at: int

    @property
    def row_bytes(self) -> int:
        """The bytes of a row, a multiple of four."""
        return (self.width * self.bits + 31) // 32 * 4


def own_layout(source: bytes) -> BmpLayout | None:
    """The layout of a BMP that Pillow does not read as it is meant; None for all others.

    Raises:
        CompressError: `unsupported_format`, for a picture of another format inside, and too many run lengths.
    """
    layout = _layout(source)
    if layout is None or min(layout.width, layout.height) < 1:
        return None
    kind = (layout.compression, layout.bits)
    if layout.compression in {IN_JPEG, IN_PNG}:
        raise _refusal("holds a JPEG" if layout.compression == IN_JPEG else "holds a PNG")
    if layout.compression in {RLE8, RLE4} and len(source) > MAX_RUN_BYTES:
        raise _refusal("has too many run lengths")
    is_masked = layout.compression in {BIT_MASKS, ALPHA_MASKS} and layout.bits in {16, 32} and any(layout.masks)
    if is_masked and layout.masks in PILLOWS_MASKS[layout.bits] and layout.compression == BIT_MASKS:
        return None
    size = int.from_bytes(source[14:18], "little")
    is_clear = layout.bits == 32 and layout.masks[3] > 0
    is_odd = layout.compression == RAW and (layout.bits == 2 or size not in PILLOWS_HEADERS or is_clear)
    has_long_palette = layout.compression == RAW and layout.bits <= 8 and layout.palette_bytes > 256 * 4
    return layout if is_masked or is_odd or has_long_palette or kind in RUN_LENGTHS else None


def _refusal(what: str) -> CompressError:
    return CompressError(f"The BMP {what}, which is not supported; export it as PNG.", code="unsupported_format")


def _layout(source: bytes) -> BmpLayout | None:
    try:
        (pixels_at, size) = struct.unpack_from("<II", source, 10)
        if size == 12:
            width, height, _, bits = struct.unpack_from("<HHHH", source, 18)
            compression, colours, entry = RAW, 0, 3
        else:  # OS/2 2 cuts its header where the rest is 0.
            fields = struct.unpack("<iiHHI12xI4x", source[18 : 14 + min(size, 40)].ljust(36, b"\0"))
            width, height, _, bits, compression, colours = fields
            entry = 4
        masks, palette_at = _masks(source, size, bits, compression)
    except struct.error:
        return None
    if size == OS2 and compression in {BIT_MASKS, IN_JPEG}:
        raise _refusal("has fax data" if compression == BIT_MASKS else "has run lengths of 24 bits")
    if bits not in {0, 1, 2, 4, 8, 16, 24, 32}:
        return None
    palette_bytes = entry * (colours or 1 << bits) if bits <= 8 else 0
    return BmpLayout(
        width=abs(width),
        height=abs(height),
        is_top_down=height < 0,
        bits=bits,
        compression=compression,
        masks=masks,
        palette_at=palette_at,
        palette_bytes=palette_bytes,
        entry_bytes=entry,
        pixels_at=pixels_at,
    )


def _masks(source: bytes, size: int, bits: int, compression: int) -> tuple[tuple[int, int, int, int], int]:
    """The bit masks of red, green, blue and transparency, and where the palette starts.

    They follow a header of 40 bytes, and belong to longer ones. Only headers of 56 bytes and more have transparency.
    Without bit masks, Chromium still takes that of the transparency from headers of 108 bytes and more.
    """
    if compression in {BIT_MASKS, ALPHA_MASKS} and size >= 40:
        count = 4 if size >= 56 or compression == ALPHA_MASKS else 3
        masks = struct.unpack_from(f"<{count}I", source, 54)
        return (*masks, 0)[:4], 14 + max(size, 40 + 4 * count if size == 40 else size)
    alpha = struct.unpack_from("<I", source, 66)[0] if size >= WITH_COLOUR_SPACE and bits == 32 else 0
    usual = (0x7C00, 0x3E0, 0x1F, 0) if bits == 16 else (0xFF0000, 0xFF00, 0xFF, alpha)
    return usual, 14 + size


def profile_of(source: bytes) -> bytes:
    """The ICC profile in a BMP; empty where it has none, or not all of it. Chromium ignores other colour spaces."""
    if len(source) < HEADER_AT + WITH_PROFILE or int.from_bytes(source[14:18], "little") < WITH_PROFILE:
        return b""
    start, length = struct.unpack_from("<II", source, HEADER_AT + 112)
    profile = source[HEADER_AT + start : HEADER_AT + start + length]
    is_embedded = source[HEADER_AT + 56 : HEADER_AT + 60] == EMBEDDED
    return profile if is_embedded and len(profile) == length else b""
