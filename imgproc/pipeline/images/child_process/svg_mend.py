"""Changes a drawing so that librsvg draws it as browsers do: its size, CSS filters, odd points."""

from __future__ import annotations

import re
from xml.parsers import expat

from imgproc.pipeline.images.child_process.svg_filters import translated

_POINTS = re.compile(rb"(\spoints\s*=\s*[\"'])([^\"']*)")
_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_HIDDEN = re.compile(rb"display\s*[:=]\s*[\"']?\s*none", re.IGNORECASE)


def mended(source: bytes, size: dict[str, float]) -> bytes:
    """The drawing as librsvg should read it; `size` has the width and height in pixels that it states, if it does."""
    source = _POINTS.sub(_paired, source)
    changed, added = translated(source)
    if rules := _rules(source, size):
        added += f'<style xmlns="http://www.w3.org/2000/svg">:root{{{rules}}}</style>'
    if not added or not (end := _end_of_root(source)):
        return source
    rest = len(source) - end
    # What is added comes last, so that no :nth-child() counts it.
    return changed[:-rest] + added.encode() + changed[-rest:]


def _end_of_root(source: bytes) -> int:
    """Where the first element's end tag is; 0 where it has none."""
    depth, place = 0, 0

    def start(*_: object) -> None:
        nonlocal depth
        depth += 1

    def end(_: str) -> None:
        nonlocal depth, place
        depth -= 1
        if not depth:
            place = parser.CurrentByteIndex

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(source, True)
    except expat.ExpatError:  # librsvg tells what is wrong.
        return 0
    return place if source.startswith(b"</", place) else 0


def _rules(source: bytes, size: dict[str, float]) -> str:
    """What counts more than the drawing's own rules: browsers show it at its stated size, and never hidden."""
    rules = "display:inline!important;" if _HIDDEN.search(source) else ""
    return rules + "".join(f"{side}:{length:g}px!important;" for side, length in size.items())


def _paired(points: re.Match[bytes]) -> bytes:
    """Points without the number that has no partner."""
    numbers = _NUMBER.findall(points[2])
    return points[1] + b" ".join(numbers[:-1]) if len(numbers) % 2 else points[0]
