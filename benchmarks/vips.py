"""libvips as a peer, called by its C functions: pyvips has no wheel, and building it may replace the pinned library."""

from __future__ import annotations

from functools import cache
from typing import Any

from cffi import FFI
from PIL import Image

FUNCTIONS = """
    int vips_init(const char *program);
    int vips_jpegload_buffer(const void *source, size_t size, void **image, ...);
    int vips_thumbnail_buffer(const void *source, size_t size, void **image, int width, ...);
    int vips_jpegsave_buffer(void *image, void **body, size_t *size, ...);
    void *vips_image_new_from_memory(const void *pixels, size_t size, int width, int height, int bands, int format);
    int vips_image_get_width(const void *image);
    void g_object_unref(void *object);
    void g_free(void *memory);
"""
_ffi = FFI()
_ffi.cdef(FUNCTIONS)


def shrink_on_load(source: bytes, *, quality: int) -> bytes:
    """libvips as imgproxy uses it: shrink on load, optimized tables."""
    image = _opened(_library().vips_jpegload_buffer, source, shrink=2)
    return _saved(image, Q=quality, optimize_coding=1, strip=1)


def thumbnail(source: bytes, *, quality: int) -> bytes:
    """libvips as its manual recommends: `thumbnail` reads the header, shrinks on load, and resizes."""
    lib = _library()
    header = _opened(lib.vips_jpegload_buffer, source)
    width = lib.vips_image_get_width(header) // 2
    lib.g_object_unref(header)
    return _saved(_opened(lib.vips_thumbnail_buffer, source, width), Q=quality, strip=1)


def saved(picture: Image.Image, **options: int) -> bytes:
    """A picture in RGB as libvips saves it."""
    pixels = picture.tobytes()  # libvips reads them in place.
    image = _library().vips_image_new_from_memory(_ffi.from_buffer(pixels), len(pixels), *picture.size, 3, 0)
    return _saved(image, **options)


def _opened(load: Any, source: bytes, *needed: int, **options: int) -> Any:
    image = _ffi.new("void **")
    _check(load(_ffi.from_buffer(source), len(source), image, *needed, *_arguments(**options)))
    return image[0]


def _saved(image: Any, **options: int) -> bytes:
    lib, body, size = _library(), _ffi.new("void **"), _ffi.new("size_t *")
    _check(lib.vips_jpegsave_buffer(image, body, size, *_arguments(**options)))
    saved = bytes(_ffi.buffer(body[0], size[0]))
    lib.g_free(body[0])
    lib.g_object_unref(image)
    return saved


def _check(failed: int) -> None:
    if failed:
        raise RuntimeError("libvips failed")


def _arguments(**options: int) -> list[Any]:
    pairs = [(_ffi.new("char[]", name.encode()), _ffi.cast("int", number)) for name, number in options.items()]
    return [each for pair in pairs for each in pair] + [_ffi.NULL]


@cache
def _library() -> Any:
    import _libvips  # noqa: PLC0415 - only measured tables load it

    lib = _ffi.dlopen(_libvips.__file__)
    _check(lib.vips_init(b"benchmarks"))
    return lib
