"""Finds what browsers draw and librsvg does not: librsvg leaves it out without an error, or draws it in black.

A drawing is not refused for a feature to which it gives librsvg an alternative, by `<switch>` or an earlier
declaration. Nor is it for animations, of which the first state is drawn, and text, which is in a font of the server.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from xml.parsers import expat

from imgproc.core.errors import CompressError

MISSING = {"textPath": "text on a path", "foreignObject": "HTML (foreignObject)"}
NOT_SHOWN = {"defs", "switch"}  # elements whose parts may not be shown, or have others in their place
BACKGROUND = re.compile(r"(?<![\w-])background(?:-color)?\s*:\s*([^;]*)", re.IGNORECASE)
WHITE = re.compile(r"(none|transparent|white|#fff(fff)?|rgb\(255,\s?255,\s?255\)|light-dark\(.*)?\s*$", re.IGNORECASE)
COLOURS = {"fill", "stroke", "stop-color", "flood-color", "lighting-color", "color"}
FUNCTIONS = re.compile(r"(?<![\w-])(var|calc|color-mix|color|lab|lch|oklab|oklch|light-dark)\(", re.IGNORECASE)
SHAPES = re.compile(r"\s*(circle|ellipse|inset|polygon|path|rect|xywh)\(", re.IGNORECASE)
COLOUR_FILTERS = re.compile(
    r"(brightness|contrast|grayscale|hue-rotate|invert|saturate|sepia|blur(?!\(\s*[\d.]*(?:px)?\s*\)))\(", re.IGNORECASE
)
# A page on a screen does not use these rules, or uses them later.
UNUSED = re.compile(
    r"@(?:-\w+-)?(?:keyframes|media(?=[^{]{0,99}(?:dark|print|reduced|forced))(?![^{]{0,99}\bnot\b))[^{}@;]*"
    r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}",
    re.IGNORECASE,
)
# Comments and strings, and escapes, which are neither. One that is not closed ends with the sheet or the line.
WORDLESS = re.compile(r"""\\.|/\*.*?(?:\*/|\Z)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?""", re.DOTALL)
RULES = re.compile(
    r"@(?:media|supports|layer|container|scope|namespace)\b|:(?:is|where|has|lang)\(|:nth-[\w-]+\([^()]{0,200} of ",
    re.IGNORECASE,
)
NESTED = re.compile(r"\{[^{}]*\{")
UNITS = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?(rem|q|r?ch|r?lh|r?ic|r?cap|[dls]?v(?:w|h|min|max|i|b))", re.IGNORECASE)
LENGTHS = {"x", "y", "width", "height", "cx", "cy", "r", "rx", "ry", "x1", "y1", "x2", "y2"}
LENGTHS |= {"stroke-width", "font-size"}
# These are not attributes.
ONLY_CSS = {"scale", "rotate", "translate", "offset-path", "mask-image", "-webkit-mask-image", "zoom"}
FRAME = re.compile(
    r"(?<![\w-])(border(?!-collapse|-spacing)|padding|outline|box-shadow)[\w-]*\s*:"
    r"(?!\s*(?:none\b|0(?![.\d]*[1-9])))",
    re.IGNORECASE,
)
PAINT = {"fill", "stroke", "stroke-width", "fill-opacity", "stroke-opacity"}
PAINT |= {"opacity", "display", "visibility", "filter"}
KEYWORDS = {"initial", "unset", "revert", "revert-layer"}
LINEAR = "colours that mix in linear light (color-interpolation)"
INPUTS = {"BackgroundImage", "BackgroundAlpha", "FillPaint", "StrokePaint"}  # of a filter
ROOTS = {"svg", ":root", "svg:root"}  # selectors
SCREENS = {"", "all", "screen"}  # media
DASHES = re.compile(rb"dasharray[\s\"'=:]*(?![\s\"'=:]|none)")
NO_TURN = re.compile(r"0(?:\.0*)?[a-z%]*")


def check_features(source: bytes, settled: Collection[str] = ()) -> None:
    """Refuse a drawing that librsvg would draw otherwise than browsers do.

    Whatever its rules say of the sides of the whole drawing that are `settled`, another rule counts more.

    Raises:
        CompressError: `unsupported_format`, with the name of the feature.
    """
    if feature := next(_features(source, settled), None):
        detail = f"The drawing uses {feature}, which only browsers draw as it is meant; export it as PNG."
        raise CompressError(detail, code="unsupported_format")


def _features(source: bytes, settled: Collection[str]) -> Iterator[str]:
    found: list[str] = []
    open_elements: list[str] = []
    hidden: list[str] = []
    styles: list[str] = []
    drawings: list[str] = []
    symbols = _Symbols()

    def start(name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        found.extend(_of_element(name, attributes, is_root=not open_elements, is_shown=not hidden))
        found.extend(_of_block(attributes.get("style", ""), attributes, () if open_elements else settled))
        drawings.extend([name] * (name == "svg"))
        found.extend(_of_geometry(name, attributes, is_root=not open_elements))
        symbols.see(name, attributes)
        open_elements.append(name)
        hidden.extend([name] * (name in NOT_SHOWN))

    def end(_: str) -> None:
        if open_elements.pop() in NOT_SHOWN:
            hidden.pop()

    def text(data: str) -> None:
        if open_elements[-1:] == ["style"]:
            styles.append(data)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.CharacterDataHandler = start, text
    parser.EndElementHandler = end
    with suppress(expat.ExpatError):  # librsvg tells what is wrong.
        parser.Parse(source, True)
    yield from found
    yield from _of_sheet("".join(styles), settled if len(drawings) == 1 else ())
    if symbols.are_sized:
        yield "a symbol with a size of its own"
    if b"pathLength" in source and DASHES.search(source):
        yield "dashes by pathLength"


def _of_element(name: str, attributes: dict[str, str], *, is_root: bool, is_shown: bool) -> Iterator[str]:
    if name in MISSING and is_shown and "requiredExtensions" not in attributes:
        yield MISSING[name]
    if is_root and "transform" in attributes:
        yield "a transform of the whole drawing"
    if is_root and (frame := FRAME.search(attributes.get("style", ""))):
        yield f"the CSS {frame[1].lower()} of the whole drawing"
    if is_root and (behind := BACKGROUND.search(attributes.get("style", ""))) and not WHITE.match(behind[1]):
        yield "a background"
    for attribute in attributes.keys() & COLOURS:
        if used := FUNCTIONS.search(attributes[attribute]):
            yield f"the function {used[1]}()"
    if SHAPES.match(attributes.get("clip-path", "")):
        yield "a CSS shape to clip by"


def _of_geometry(name: str, attributes: dict[str, str], *, is_root: bool) -> Iterator[str]:
    for attribute in attributes.keys() & (LENGTHS - ({"width", "height"} if is_root else set())):
        value = attributes[attribute].strip()
        if unit := UNITS.fullmatch(value):
            yield f"the unit {unit[1]}"
        if used := FUNCTIONS.match(value):
            yield f"the function {used[1]}()"
    if attributes.get("color-interpolation", "").strip().lower() == "linearrgb":
        yield LINEAR
    if name == "style" and SCREENS.isdisjoint(re.split(r"\s*,\s*", attributes.get("media", "").strip().lower())):
        yield "a style sheet for other media"
    if name == "style" and attributes.get("type", "").strip().lower() not in {"", "text/css"}:
        yield "a style sheet in another language"
    if name == "feImage" or {attributes.get("in"), attributes.get("in2")} & INPUTS:
        yield "a filter of other pictures"
    if name == "pattern" and _is_letterboxed(attributes):
        yield "a pattern with margins"


def _is_letterboxed(pattern: dict[str, str]) -> bool:
    """Whether the content of a pattern has other proportions than its tile: librsvg places it wrongly."""
    if "viewBox" not in pattern or pattern.get("preserveAspectRatio", "").strip().startswith("none"):
        return False
    try:
        *_, width, height = map(float, pattern["viewBox"].replace(",", " ").split())
        tile = float(pattern.get("width", "0")) * height, float(pattern.get("height", "0")) * width
    except ValueError:
        return True
    return pattern.get("patternUnits") != "userSpaceOnUse" or abs(tile[0] - tile[1]) > max(tile) / 100


class _Symbols:
    """The symbols that state a size, and those that are used without one: librsvg takes 100% for it."""

    def __init__(self) -> None:
        self._sized: set[str] = set()
        self._used: set[str] = set()

    def see(self, name: str, attributes: dict[str, str]) -> None:
        """Note what an element says."""
        if name == "symbol" and any(attributes.get(side, "100%") != "100%" for side in ("width", "height")):
            self._sized.add("#" + attributes.get("id", ""))
        if name == "use" and not {"width", "height"} <= attributes.keys():
            self._used |= {value for key, value in attributes.items() if key.rpartition(":")[2] == "href"}

    @property
    def are_sized(self) -> bool:
        """Whether a symbol is drawn in a size of its own."""
        return bool(self._sized & self._used)


def _of_sheet(sheet: str, settled: Collection[str]) -> Iterator[str]:
    words = WORDLESS.sub(lambda found: found[0] if found[0].startswith("\\") else "", sheet)
    used = UNUSED.sub("", words)
    if at := RULES.search(used):
        yield f"the CSS {at[0].partition('(')[0]}"
    elif NESTED.search(used):
        yield "nested CSS rules"
    for rule in used.split("}"):
        selector, brace, block = rule.rpartition("{")
        if brace:
            yield from _of_block(block, (), settled if selector.strip() in ROOTS else ())


def _of_block(block: str, before: Collection[str], settled: Collection[str] = ()) -> Iterator[str]:
    """The features of a block of declarations, where `before` are the properties that the element sets already.

    Those that are `settled` do not count.

    A function is no feature if its property is set already: a renderer that does not know it draws the earlier value.
    """
    declared = set(before)
    for declaration in block.split(";"):
        name, value = (part.strip() for part in declaration.lower().partition(":")[::2])
        if name.startswith("--") or name in settled:
            continue
        if (used := FUNCTIONS.search(value)) and name not in declared:
            yield f"the function {used[1]}()"
        if name == "clip-path" and SHAPES.match(value):
            yield "a CSS shape to clip by"
        if name == "d":
            yield "a path in CSS"
        if (name in ONLY_CSS and not _is_idle(name, value)) or (name == "mask" and "gradient(" in value):
            yield f"the CSS property {name}"
        if name in PAINT and value in KEYWORDS:
            yield f"the CSS keyword {value}"
        if name == "color-interpolation" and value == "linearrgb":
            yield LINEAR
        if name in LENGTHS and (unit := UNITS.fullmatch(value)):
            yield f"the unit {unit[1]}"
        if name == "filter" and COLOUR_FILTERS.search(value):
            yield "a CSS filter of colours"
        declared.add(name)
    if "transform" in declared and declared & {"transform-origin", "transform-box"}:
        yield "transform-origin"


def _is_idle(name: str, value: str) -> bool:
    """Whether a property of `ONLY_CSS` changes nothing."""
    if value in {"none", "normal", "1"}:
        return True
    return name in {"rotate", "translate"} and all(NO_TURN.fullmatch(part) for part in value.split())
