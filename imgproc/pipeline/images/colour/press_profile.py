"""The colour profile for CMYK of unknown press, as libvips and sharp use it."""

from __future__ import annotations

from functools import cache

from cffi import FFI

from imgproc.pipeline.images.libvips import functions_of

_ffi = FFI()
_ffi.cdef("""
    int vips_profile_load(const char *name, void **profile, ...);
    const void *vips_blob_get(void *profile, size_t *size);
    void vips_area_unref(void *profile);
    void vips_error_clear(void);
""")


@cache
def press_profile() -> bytes | None:
    """An ICC profile of a usual offset press, which libvips includes; None where it cannot be loaded."""
    lib = functions_of(_ffi)
    profile, size = _ffi.new("void **"), _ffi.new("size_t *")
    if lib.vips_profile_load(b"cmyk", profile, _ffi.NULL):
        lib.vips_error_clear()
        return None
    try:
        return bytes(_ffi.buffer(lib.vips_blob_get(profile[0], size), size[0]))
    finally:
        lib.vips_area_unref(profile[0])
