"""CSS filter functions of a drawing as SVG filters: librsvg blurs by them in linear light, and knows few of colours.

Browsers filter in sRGB (Filter Effects 1, 8.4). What cannot be translated stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from xml.parsers import expat

_CALL = rb"[a-z-]+\((?:[^()\"';{}]|\([^()\"';{}]*\))*\)\s*"
_USES = re.compile(rb"((?<![\w-])filter\s*(?::\s*|=\s*[\"']\s*))((?:" + _CALL + rb")+)(?=[;\"'}])", re.IGNORECASE)
_CALLS = re.compile(r"([a-z-]+)\(((?:[^()]|\([^()]*\))*)\)", re.IGNORECASE)
_TRANSLATED = re.compile(rb"(blur|brightness|contrast|grayscale|hue-rotate|invert|saturate|sepia)\(", re.IGNORECASE)
_NUMBER = r"-?(?:\d+(?:\.\d+)?|\.\d+)"
_LENGTH = re.compile(_NUMBER + "(?:px)?", re.IGNORECASE)
_TURNS = {"deg": 1.0, "rad": 57.29578, "turn": 360.0, "grad": 0.9, "": 1.0}
_MAX_FILTERS = 100
_TAG = re.compile(rb"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")
# A CSS filter has no edges, and librsvg draws none of a region that is not in the picture.
_FILTER = (
    '<filter xmlns="http://www.w3.org/2000/svg" id="{}" color-interpolation-filters="sRGB" '
    'filterUnits="userSpaceOnUse" x="-500000" y="-500000" width="1000000" height="1000000">{}</filter>'
)


def translated(source: bytes) -> tuple[bytes, str]:
    """The drawing with its CSS filters named by references, and the elements that they refer to."""
    if not _USES.search(source):
        return source, ""
    filters: dict[str, str] = {}
    prefix = f"css-filter-{sha256(source).hexdigest()[:16]}"  # The drawing cannot have it in an id of its own.

    def refer(use: re.Match[bytes]) -> bytes:
        chain = use[2].decode(errors="replace").strip()
        if chain not in filters and len(filters) < _MAX_FILTERS and _TRANSLATED.search(use[2]):
            try:
                steps = "".join(_STEPS[name.lower()](given.strip()) for name, given in _CALLS.findall(chain))
            except (KeyError, ValueError):
                return use[0]
            filters[chain] = _FILTER.format(f"{prefix}-{len(filters)}", steps)
        if chain not in filters:
            return use[0]
        return use[1] + f"url(#{prefix}-{list(filters).index(chain)})".encode()

    pieces, done = [], 0
    for start, end in _styled(source):
        pieces += [source[done:start], _USES.sub(refer, source[start:end])]
        done = end
    return b"".join([*pieces, source[done:]]), "".join(filters.values())


def _styled(source: bytes) -> list[tuple[int, int]]:
    """Where filters may be used: before the first element, in tags, and in style sheets; what else is text."""
    found: list[tuple[int, int]] = []
    sheets: list[int] = []

    def start(name: str, _: dict[str, str]) -> None:
        at = parser.CurrentByteIndex
        if not found:
            found.append((0, at))
        if name.rpartition(":")[2] == "style":
            sheets.append(at)
        elif not sheets and (tag := _TAG.match(source, at)) and b"filter" in tag[0].lower():
            found.append(tag.span())

    def end(name: str) -> None:
        if name.rpartition(":")[2] == "style" and sheets:
            at = sheets.pop()
            found.extend([(at, parser.CurrentByteIndex)] * (not sheets))

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(source, True)
    except expat.ExpatError:  # librsvg tells what is wrong.
        return []
    return found


def _blur(given: str) -> str:
    return f'<feGaussianBlur stdDeviation="{_pixels(given or "0")}"/>'


def _shadow(given: str) -> str:
    parts = re.findall(r"(?:[^\s()]|\([^()]*\))+", given)
    lengths = [_pixels(part) for part in parts if _LENGTH.fullmatch(part)]
    colours = [part for part in parts if not _LENGTH.fullmatch(part)] or ["currentColor"]
    if len(lengths) not in {2, 3} or len(colours) != 1:
        raise ValueError(given)
    across, down, blur = (*lengths, 0)[:3]
    return f'<feDropShadow dx="{across}" dy="{down}" stdDeviation="{blur}" flood-color="{colours[0]}"/>'


def _pixels(length: str) -> float:
    if not _LENGTH.fullmatch(length):
        raise ValueError(length)
    return float(length.lower().removesuffix("px"))


def _amount(given: str, most: float = 1e6) -> float:
    amount = float(given.rstrip("%")) / (100 if given.endswith("%") else 1) if given else 1.0
    return min(max(amount, 0.0), most)


def _matrix(*rows: tuple[float, float, float]) -> str:
    values = " ".join(f"{share:.4f}" for row in rows for share in (*row, 0, 0))
    return f'<feColorMatrix type="matrix" values="{values} 0 0 0 1 0"/>'


def _saturate(amount: float) -> str:
    grey = [(1 - amount) * share for share in (0.2126, 0.7152, 0.0722)]
    rows = [tuple(grey[at] + amount * (at == row) for at in range(3)) for row in range(3)]
    return _matrix(*rows)  # type: ignore[arg-type]  # three of three


def _sepia(amount: float) -> str:
    brown = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))
    rows = [tuple(amount * brown[row][at] + (1 - amount) * (at == row) for at in range(3)) for row in range(3)]
    return _matrix(*rows)  # type: ignore[arg-type]  # three of three


def _turn(given: str) -> str:
    match = re.fullmatch(f"({_NUMBER})(deg|rad|turn|grad|)", given or "0")
    if not match:
        raise ValueError(given)
    return f'<feColorMatrix type="hueRotate" values="{float(match[1]) * _TURNS[match[2]]:.3f}"/>'


def _linear(slope: float, intercept: float = 0.0) -> str:
    parts = "".join(f'<feFunc{c} type="linear" slope="{slope:.4f}" intercept="{intercept:.4f}"/>' for c in "RGB")
    return f"<feComponentTransfer>{parts}</feComponentTransfer>"


def _opacity(given: str) -> str:
    slope = _amount(given, 1)
    return f'<feComponentTransfer><feFuncA type="linear" slope="{slope:.4f}"/></feComponentTransfer>'


_STEPS: dict[str, Callable[[str], str]] = {
    "blur": _blur,
    "drop-shadow": _shadow,
    "grayscale": lambda given: _saturate(1 - _amount(given, 1)),
    "saturate": lambda given: _saturate(_amount(given)),
    "sepia": lambda given: _sepia(_amount(given, 1)),
    "hue-rotate": _turn,
    "invert": lambda given: _linear(1 - 2 * _amount(given, 1), _amount(given, 1)),
    "brightness": lambda given: _linear(_amount(given)),
    "contrast": lambda given: _linear(_amount(given), 0.5 - 0.5 * _amount(given)),
    "opacity": _opacity,
}
