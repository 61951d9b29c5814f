"""Where we differ from a judge on purpose: each reason is a row of docs/explanation/pictures.md."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.svg import attributes_of_root
from imgproc.pipeline.images.colour import icc
from imgproc.pipeline.images.guards.faults import FAULTS
from imgproc.pipeline.images.orientation import UPRIGHT, orientation_of
from imgproc.pipeline.images.png.png_chunks import SmallFrame, read_chunks
from imgproc.pipeline.images.readers import open_image
from imgproc.pipeline.images.tiff.tiff_pages import picture_page

BITS, COMPRESSION, PHOTOMETRIC, PLANAR, EXTRA_SAMPLES, SAMPLE_FORMAT, PROFILE = 258, 259, 262, 284, 338, 339, 34675
OLD_JPEG, LZMA, ZSTD = 6, 34925, 50000
BLACK_IS_ZERO, PALETTE, CMYK = 1, 3, 5
SIGNED, PLANES = 2, 2


def purpose(body: bytes, kind: str, refusal: CompressError | None) -> str | None:
    """Why a picture of this kind may differ from what its judge shows; None if nothing explains that.

    `refusal` is ours, or None if we make the picture.
    """
    if kind == "tiff" and refusal is not None and refusal.code == "unsupported_format":
        return "TIFF of a kind that we refuse by name"
    reasons = REASONS.get(kind, ())
    return next((reason for reason, is_so in reasons if is_so(body)), None) if refusal is None else None


def _has_no_end(body: bytes) -> bool:
    return not body.rstrip(b"\0").endswith(b"\xff\xd9")


def _has_tables(body: bytes) -> bool:
    profile: bytes = open_image(io.BytesIO(body), "jpeg").info["icc_profile"]
    return icc.space_of(profile) == icc.RGB and b"A2B0" in profile


def _is_broken_animation(body: bytes) -> bool:
    before = body.partition(b"IDAT")[0]
    with suppress(SmallFrame):
        return b"acTL" in before and b"fcTL" not in before and read_chunks(body).frames == 1
    return False


def _is_interrupted(body: bytes) -> bool:
    """Whether the pixels are in chunks (of 12 bytes more than they hold) that do not follow each other."""
    at, was_pixels, ended = 8, False, False
    while at + 8 <= len(body):
        length, name = struct.unpack_from(">I4s", body, at)
        if name == b"IDAT" and ended:
            return True
        ended, was_pixels = ended or (was_pixels and name != b"IDAT"), name == b"IDAT"
        at += 12 + length
    return False


def _is_turned(body: bytes) -> bool:
    return orientation_of(open_image(io.BytesIO(body), "webp")) != UPRIGHT


def _has_no_size(body: bytes) -> bool:
    root = attributes_of_root(body)
    return any("%" in root.get(side, "%") for side in ("width", "height"))


def _starts_in_palette(body: bytes) -> bool:
    pixels_at, header = struct.unpack_from("<II", body, 10)
    bits, colours = int.from_bytes(body[28:30], "little"), int.from_bytes(body[46:50], "little")
    palette: int = 4 * (colours or 1 << bits) if bits <= 8 else 0
    return bool(header >= 40 and pixels_at < 14 + header + palette)


def _has_long_codes(body: bytes) -> bool:
    found = re.search(rb"\0,.{8}[^\x80-\xff](.)", body, re.DOTALL)
    return found is not None and found[1][0] > 8


def _has_no_trailer(body: bytes) -> bool:
    return not body.rstrip(b"\0").endswith(b";")


def _tells_no_bits(body: bytes) -> bool:
    return not any(body[at + 6] for at in range(6, 6 + 16 * body[4], 16))


def _tags(body: bytes) -> dict[int, Any]:
    try:
        return dict(getattr(open_image(io.BytesIO(body), "tiff"), "tag_v2", {}))
    except FAULTS:
        return {}


def _all(tags: dict[int, Any], tag: int) -> tuple[int, ...]:
    values = tags.get(tag, ())
    return values if isinstance(values, tuple) else (values,)


def _is_rare_tiff(body: bytes) -> bool:
    tags = _tags(body)
    planes_of_grey = tags.get(PLANAR) == PLANES and tags.get(PHOTOMETRIC) == BLACK_IS_ZERO
    is_rare = tags.get(COMPRESSION) in {OLD_JPEG, LZMA, ZSTD} or SIGNED in _all(tags, SAMPLE_FORMAT)
    palette_with_alpha = tags.get(PHOTOMETRIC) == PALETTE and EXTRA_SAMPLES in tags
    return is_rare or planes_of_grey or palette_with_alpha or 32 in _all(tags, BITS)


def _is_bare_cmyk(body: bytes) -> bool:
    tags = _tags(body)
    return tags.get(PHOTOMETRIC) == CMYK and PROFILE not in tags


Reason = tuple[str, Callable[[bytes], bool]]
REASONS: dict[str, tuple[Reason, ...]] = {
    "png": (
        ("animated PNG of which Chromium shows nothing", _is_broken_animation),
        ("PNG with another chunk between its pixels", _is_interrupted),
    ),
    "jpeg": (
        ("JPEG without its end marker", _has_no_end),
        ("JPEG whose profile has tables", _has_tables),
    ),
    "avif": (("AVIF with transparency", lambda body: b"alpha" in body),),
    "webp": (("WebP with an Exif orientation", _is_turned),),
    "svg": (("SVG without a width and height", _has_no_size),),
    "bmp": (("BMP that places its pixels in its header or palette", _starts_in_palette),),
    "gif": (
        ("GIF with codes that start at more than 8 bits", _has_long_codes),
        ("GIF without its end", _has_no_trailer),
    ),
    "ico": (("icon whose directory tells no bits a pixel", _tells_no_bits),),
    "tiff": (
        ("TIFF that begins with a thumbnail", lambda body: picture_page(body) is not None),
        ("TIFF of a kind that libvips misreads", _is_rare_tiff),
        ("TIFF in CMYK without a profile", _is_bare_cmyk),
    ),
}
