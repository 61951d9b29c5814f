"""Converts the pictures in a drawing to PNG, where librsvg would not show them as browsers do."""

from __future__ import annotations

import base64
import io
import re
from typing import NamedTuple

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.colour.colours import is_srgb
from imgproc.pipeline.images.guards.faults import FAULTS, explain
from imgproc.pipeline.images.orientation import UPRIGHT, orientation_of

MAX_PIXELS = 25_000_000  # of all pictures that are converted
PIXEL_BYTES = 12  # of such a picture: its decoder, or the pixels and their PNG in letters
_EMBEDDED = re.compile(rb"(href\s*=\s*[\"']\s*data:)(image/[\w.+-]+)(?:;[\w=.-]+)?;base64,([\w+/=\s]+)", re.IGNORECASE)
_SHOWN_BY_BROWSERS = {"png", "jpeg", "gif", "webp", "avif", "bmp", "ico"}
_KNOWN_TO_LIBRSVG = {"png": {b"image/png"}, "jpeg": {b"image/jpeg", b"image/jpg"}}
_DAMAGED = {"corrupt_image", "truncated_image"}


class _Picture(NamedTuple):
    body: bytes
    kind: str
    pixels: int  # to convert; 0 where librsvg shows it


def pixels_to_convert(source: bytes) -> int:
    """How many pixels of a drawing's pictures `converted` decodes; nothing is decoded yet.

    Raises:
        CompressError: as `converted` does.
    """
    pixels = 0
    for embedded in _EMBEDDED.finditer(source):
        picture = _read(embedded)
        pixels += picture.pixels if picture else 0
        if picture and pixels > MAX_PIXELS:
            limit = f"pictures that are converted may have {MAX_PIXELS:,} pixels in all"
            raise _refusal(CompressError(limit, code="too_many_pixels"), picture.kind)
    return pixels


def converted(source: bytes) -> bytes:
    """The drawing with its pictures as librsvg shows them; without those that are damaged, as in browsers.

    Raises:
        CompressError: `too_many_pixels` or `unsupported_format`, where a picture cannot be converted.
    """
    return _EMBEDDED.sub(_converted, source)


def _converted(embedded: re.Match[bytes]) -> bytes:
    picture, said = _read(embedded), embedded[2].lower()
    if not picture or (not picture.pixels and said in _KNOWN_TO_LIBRSVG[picture.kind]):
        return embedded[0]
    if not picture.pixels:
        return b"%simage/%s;base64,%s" % (embedded[1], picture.kind.encode(), embedded[3])
    # It reads drawings, too, and so imports this module.
    from imgproc.pipeline.images.compress import CompressOptions, compress  # noqa: PLC0415

    options = CompressOptions(scale=1.0, format="png")
    try:
        made = compress(picture.body, options=options, max_pixels=MAX_PIXELS, is_apart=True)
    except CompressError as error:
        if error.code in _DAMAGED:
            return embedded[0]
        raise _refusal(error, picture.kind) from error
    return embedded[1] + b"image/png;base64," + base64.b64encode(made.body)


def _read(embedded: re.Match[bytes]) -> _Picture | None:
    """The headers of a picture; None where browsers do not show it."""
    # They read drawings, too, and so import this module.
    from imgproc.pipeline.images.formats import identify  # noqa: PLC0415
    from imgproc.pipeline.images.readers import open_image  # noqa: PLC0415

    try:
        body = base64.b64decode(embedded[3])
        kind = identify(body)
    except (CompressError, ValueError):
        return None
    if kind not in _SHOWN_BY_BROWSERS:
        return None
    try:
        image = open_image(io.BytesIO(body), kind)
        is_known = kind in _KNOWN_TO_LIBRSVG and orientation_of(image) == UPRIGHT and is_srgb(image)
    except (CompressError, *FAULTS) as error:
        fault = error if isinstance(error, CompressError) else explain(error, body, kind)
        if fault.code in _DAMAGED:
            return None
        raise _refusal(fault, kind) from error
    return _Picture(body, kind, 0 if is_known else image.width * image.height)


def _refusal(error: CompressError, kind: str) -> CompressError:
    from imgproc.pipeline.images.formats import INPUT_FORMATS  # noqa: PLC0415 - see `_read`

    detail = f"The drawing has an embedded {INPUT_FORMATS[kind].name} picture that cannot be converted: {error.detail}"
    return CompressError(detail, code=error.code)
