"""Changes a drawing so that librsvg draws it as browsers do: its size, embedded pictures, CSS filters, odd points."""

from __future__ import annotations

import base64
import io
import re

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.svg_filters import translated
from imgproc.pipeline.images.colour.colours import is_srgb
from imgproc.pipeline.images.guards.faults import FAULTS
from imgproc.pipeline.images.orientation import UPRIGHT, orientation_of

END = re.compile(rb"</(?:[\w.-]+:)?svg\s*>")  # What is added comes last, so that no :nth-child() counts it.
EMBEDDED = re.compile(rb"(href\s*=\s*[\"']\s*data:)(image/[\w.+-]+)(?:;[\w=.-]+)?;base64,([\w+/=\s]+)", re.IGNORECASE)
POINTS = re.compile(rb"(\spoints\s*=\s*[\"'])([^\"']*)")
NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
HIDDEN = re.compile(rb"display\s*[:=]\s*[\"']?\s*none", re.IGNORECASE)
SHOWN_BY_BROWSERS = {"png", "jpeg", "gif", "webp", "avif", "bmp", "ico"}
KNOWN_TO_LIBRSVG = {"png": {b"image/png"}, "jpeg": {b"image/jpeg", b"image/jpg"}}
MAX_PIXELS = 25_000_000  # of an embedded picture that is converted


def mended(source: bytes, size: dict[str, float]) -> bytes:
    """The drawing as librsvg should read it; `size` has the width and height in pixels that it states, if it does."""
    source = EMBEDDED.sub(_converted, POINTS.sub(_paired, source))
    source, added = translated(source)
    if rules := _rules(source, size):
        added += f'<style xmlns="http://www.w3.org/2000/svg">:root{{{rules}}}</style>'
    *_, last = [None, *END.finditer(source)]
    return source if last is None or not added else source[: last.start()] + added.encode() + source[last.start() :]


def _rules(source: bytes, size: dict[str, float]) -> str:
    """What counts more than the drawing's own rules: browsers show it at its stated size, and never hidden."""
    rules = "display:inline!important;" if HIDDEN.search(source) else ""
    return rules + "".join(f"{side}:{length:g}px!important;" for side, length in size.items())


def _paired(points: re.Match[bytes]) -> bytes:
    """Points without the number that has no partner."""
    numbers = NUMBER.findall(points[2])
    return points[1] + b" ".join(numbers[:-1]) if len(numbers) % 2 else points[0]


def _converted(embedded: re.Match[bytes]) -> bytes:
    """An embedded picture as PNG, unless librsvg shows it as browsers do."""
    try:
        kind, body = _as_png(base64.b64decode(embedded[3]), embedded[2].lower())
    except (CompressError, *FAULTS):  # Browsers leave it out, too.
        return embedded[0]
    return embedded[0] if not body else embedded[1] + kind + b";base64," + base64.b64encode(body)


def _as_png(picture: bytes, said: bytes) -> tuple[bytes, bytes]:
    """The media type and the bytes to write; no bytes if the picture can stay."""
    # They read drawings, too, and so import this module.
    from imgproc.pipeline.images.compress import CompressOptions, compress  # noqa: PLC0415
    from imgproc.pipeline.images.formats import identify  # noqa: PLC0415
    from imgproc.pipeline.images.readers import open_image  # noqa: PLC0415

    kind = identify(picture)
    if kind not in SHOWN_BY_BROWSERS:
        return said, b""
    if kind in KNOWN_TO_LIBRSVG:
        image = open_image(io.BytesIO(picture), kind)
        if orientation_of(image) == UPRIGHT and is_srgb(image):
            return f"image/{kind}".encode(), b"" if said in KNOWN_TO_LIBRSVG[kind] else picture
    options = CompressOptions(scale=1.0, format="png")
    return b"image/png", compress(picture, options=options, max_pixels=MAX_PIXELS, is_apart=True).body
