"""Where we differ from a judge on purpose: each reason is a row of docs/explanation/pictures.md."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.faults import FAULTS
from imgproc.pipeline.images.orientation import UPRIGHT, orientation_of
from imgproc.pipeline.images.svg import attributes_of_root

COMPRESSION, PHOTOMETRIC, PROFILE = 259, 262, 34675
CMYK = 5
LZMA, ZSTD = 34925, 50000


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


def _is_turned(body: bytes) -> bool:
    with Image.open(io.BytesIO(body)) as picture:
        return orientation_of(picture) != UPRIGHT


def _has_no_size(body: bytes) -> bool:
    return not {"width", "height"} <= attributes_of_root(body).keys()


def _starts_at_header(body: bytes) -> bool:
    return int.from_bytes(body[10:14], "little") < int.from_bytes(body[14:18], "little") + 14


def _has_long_codes(body: bytes) -> bool:
    found = re.search(rb"\0,.{8}[^\x80-\xff](.)", body, re.DOTALL)
    return found is not None and found[1][0] > 8


def _tags(body: bytes) -> dict[int, object]:
    try:
        with Image.open(io.BytesIO(body)) as picture:
            return dict(getattr(picture, "tag_v2", {}))
    except FAULTS:
        return {}


def _has_lzma(body: bytes) -> bool:
    return _tags(body).get(COMPRESSION) in {LZMA, ZSTD}


def _is_bare_cmyk(body: bytes) -> bool:
    tags = _tags(body)
    return tags.get(PHOTOMETRIC) == CMYK and PROFILE not in tags


Reason = tuple[str, Callable[[bytes], bool]]
REASONS: dict[str, tuple[Reason, ...]] = {
    "jpeg": (("JPEG without its end marker", _has_no_end),),
    "webp": (("WebP with an Exif orientation", _is_turned),),
    "svg": (("SVG without a width and height", _has_no_size),),
    "bmp": (("BMP whose header gives no place for its pixels", _starts_at_header),),
    "gif": (("GIF with codes that start at more than 8 bits", _has_long_codes),),
    "tiff": (("TIFF with LZMA or ZSTD", _has_lzma), ("TIFF in CMYK without a profile", _is_bare_cmyk)),
}
