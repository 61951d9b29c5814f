"""SVG drawings by librsvg, which pyvips-binary includes: it reads no file, opens no connection and runs no script.

A drawing is opened from memory without an address, so librsvg resolves no reference to another file; it expands few
entities. It runs in a process of its own all the same, because filters may take hours and gigabytes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.parsers import expat

from cffi import FFI
from PIL import Image, ImageFile

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.child_process.svg_features import check_features
from imgproc.pipeline.images.child_process.svg_mend import mended
from imgproc.pipeline.images.child_process.svg_pictures import converted, pixels_to_convert
from imgproc.pipeline.images.child_process.svgz import unpacked
from imgproc.pipeline.images.libvips import functions_of

FUNCTIONS = """
    int vips_svgload_buffer(void *source, size_t size, void **image, ...);
    int vips_image_get_width(const void *image);
    int vips_image_get_height(const void *image);
    void *vips_image_write_to_memory(void *image, size_t *size);
    const char *vips_error_buffer(void);
    void g_object_unref(void *object);
    void g_free(void *memory);
"""
DPI = 96  # pixels of CSS an inch
UNITS = {
    **{"in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pt": 96 / 72},
    **{"pc": 16, "rem": 16, "px": 1, "": 1},
}  # pixels of CSS
SIDES, AUTO = ("width", "height"), "auto"
MAX_SIDE = 32_767  # of Cairo
FONT_SIZE = b' font-size="16px"'
_TOO_MUCH = "The SVG takes too much memory or time to draw; simplify it, or export it as PNG."
_NO_SIZE = "The SVG has no size; give it a width and height above 0, or a viewBox."
_LENGTH = re.compile(r"\+?((?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d{1,3})?)\s*(in|cm|mm|q|pt|pc|rem|px|)", re.IGNORECASE)
_SIZE_RULE = re.compile(rb"(?:\bsvg|:root|\*)[^{}<>]{0,99}\{[^{}<>]{0,999}\b(?:width|height)\s*:")
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts")
_ffi = FFI()
_ffi.cdef(FUNCTIONS)
SCALE = _ffi.cast("double", 72 / DPI)  # libvips enlarges a drawing by its dots an inch, of which it expects 72


class Svg(ImageFile.ImageFile):
    """A drawing at the size that it states in CSS pixels, or else at that of its `viewBox`, transparent around it."""

    fp: Any
    format = "SVG"
    format_description = "Scalable Vector Graphics"

    def _open(self) -> None:
        self._source = unpacked(self.fp.read())
        if has_text(self._source) and not _has_fonts():
            detail = "The drawing has text, and the server has no fonts; convert the text to paths, or give a PNG."
            raise CompressError(detail, code="unsupported_format")
        _check_sides(self._source)
        stated = _stated_size(self._source)
        self._source = mended(self._source, stated)
        check_features(self._source, stated)
        self._source = with_font_size(self._source)
        self.embedded_pixels = pixels_to_convert(self._source)
        self._image: Any = _opened(self._source)
        lib = functions_of(_ffi)
        self._size = lib.vips_image_get_width(self._image), lib.vips_image_get_height(self._image)
        self._mode = "RGBA"

    def load(self) -> Any:
        """Draw at first use."""
        if self._image is not None:
            # The caller has reserved the memory only now.
            if (source := converted(self._source)) != self._source:
                self._source, self._image = source, _opened(source)
            lib, size = functions_of(_ffi), _ffi.new("size_t *")
            pixels = lib.vips_image_write_to_memory(self._image, size)
            if not pixels:
                raise CompressError(_TOO_MUCH, code="unsupported_format")
            self._image = None
            drawn = _ffi.buffer(_ffi.gc(pixels, lib.g_free), size[0])
            self.im = Image.frombuffer("RGBA", self._size, drawn, "raw", "RGBA", 0, 1).im  # without a copy
        return Image.Image.load(self)


def _opened(source: bytes) -> Any:
    """The drawing as an image of libvips, which reads `source` until it is drawn."""
    lib, found = functions_of(_ffi), _ffi.new("void **")
    given = [_ffi.new("char[]", b"dpi"), _ffi.cast("double", DPI), _ffi.new("char[]", b"scale"), SCALE, _ffi.NULL]
    if lib.vips_svgload_buffer(_ffi.from_buffer(source), len(source), found, *given):
        raise _load_error(lib)
    return _ffi.gc(found[0], lib.g_object_unref)


def has_text(source: bytes) -> bool:
    """Whether the drawing has text, which is drawn in a font of the server."""
    return re.search(rb"<(?:[\w.-]+:)?text\b", source) is not None


def has_references(source: bytes) -> bool:
    """Whether the drawing names another file, which is left out, as browsers do in an `<img>`."""
    return re.search(rb"href\s*=\s*[\"']\s*(?![#\"']|data:)", _without_links(source)) is not None


def _without_links(source: bytes) -> bytes:
    """The drawing without the addresses of its links (`<a href>`), which show nothing."""
    return re.sub(rb"<(?:[\w.-]+:)?a\s[^>]*>", b"", source)


def with_font_size(source: bytes) -> bytes:
    """The drawing with the font size that browsers begin with, if it states none: librsvg begins with a smaller one."""
    place: list[int] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if not place and "font-size" not in attributes:
            place.append(parser.CurrentByteIndex + 1 + len(name.encode()))
        raise StopIteration

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    with suppress(StopIteration, expat.ExpatError):
        parser.Parse(source, True)
    return b"".join([source[: place[0]], FONT_SIZE, source[place[0] :]]) if place else source


def _check_sides(source: bytes) -> None:
    """Refuse a drawing of no size, or of more pixels a side than Cairo draws: libvips would draw one pixel instead.

    Raises:
        CompressError: `too_many_pixels` or `unsupported_format`.
    """
    root = attributes_of_root(source)
    view = root.get("viewBox", "").replace(",", " ").split()[2:4]
    lengths = [root[side].strip() for side in SIDES if root.get(side, AUTO).strip() != AUTO] or view
    for length in lengths:
        if re.match(r"-|(?:0+(?:\.0*)?|\.0*|)([a-z%]|$)", length) and length:
            raise CompressError(_NO_SIZE, code="unsupported_format")
        if _pixels(length) > MAX_SIDE:
            detail = f"The drawing is more than {MAX_SIDE:,} pixels wide or high; give it a smaller width and height."
            raise CompressError(detail, code="too_many_pixels")


def _stated_size(source: bytes) -> dict[str, float]:
    """The sides that the attributes state, in pixels, where librsvg would take another size for them."""
    root = attributes_of_root(source)
    is_styled = _SIZE_RULE.search(source) or re.search("width|height", root.get("style", ""))
    is_odd = any(re.fullmatch(r".*\d\s*(q|rem)\s*", root.get(side, ""), re.IGNORECASE) for side in SIDES)
    found = {side: _pixels(root.get(side, "").strip()) for side in SIDES} if is_styled or is_odd else {}
    return {side: length for side, length in found.items() if length}


def attributes_of_root(source: bytes) -> dict[str, str]:
    """The attributes of the drawing's first element."""
    found: dict[str, str] = {}

    def start(_: str, attributes: dict[str, str]) -> None:
        found.update(attributes)
        raise StopIteration

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.Parse(source, True)
    except StopIteration:
        return found
    except expat.ExpatError as error:
        raise SyntaxError("not XML") from error
    return found


def _pixels(length: str) -> float:
    """A length in CSS pixels; 0 for a share of the window, and for text that is no length."""
    match = _LENGTH.fullmatch(length)
    return float(match[1]) * UNITS[match[2].lower()] if match else 0


def _has_fonts() -> bool:
    files = (path for folder in FONT_FOLDERS for path in Path(folder).rglob("*.*"))
    return any(path.suffix.lower() in {".ttf", ".otf", ".ttc", ".pfb"} for path in files)


def _load_error(lib: Any) -> Exception:
    said = _ffi.string(lib.vips_error_buffer()).decode(errors="replace")
    if "bad dimensions" in said:
        return CompressError(_NO_SIZE, code="unsupported_format")
    if re.search("exceed|Excessive|amplification", said):
        return CompressError(_TOO_MUCH, code="unsupported_format")
    return SyntaxError(said)
