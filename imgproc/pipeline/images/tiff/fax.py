"""Decodes fax data (ITU-T T.4 and T.6) by libvips, which tells when it is damaged.

Pillow shows damaged rows as they come, and libtiff writes a line to stderr for each: 184 MB for a file of 3 MB.
"""

from __future__ import annotations

from cffi import FFI

from imgproc.pipeline.images.libvips import functions_of

FUNCTIONS = """
    int vips_tiffload_buffer(void *data, size_t size, void **image, ...);
    void *vips_image_write_to_memory(void *image, size_t *size);
    void vips_error_clear(void);
    void g_object_unref(void *object);
    void g_free(void *memory);
"""
FAIL_ON_WARNING = 3  # VipsFailOn: a row of the wrong length is only a warning
_ffi = FFI()
_ffi.cdef(FUNCTIONS)


def decode_fax(tiff: bytes, *, pixels: int) -> bytes:
    """The pixels of a grey TIFF of one strip, a byte each: 0 or 255.

    Raises:
        OSError: the data is damaged or cut.
    """
    lib = functions_of(_ffi)
    image, size = _ffi.new("void **"), _ffi.new("size_t *")
    memory = _ffi.NULL
    try:
        options = [_ffi.new("char[]", b"fail_on"), _ffi.cast("int", FAIL_ON_WARNING), _ffi.NULL]
        if not lib.vips_tiffload_buffer(_ffi.from_buffer(tiff), len(tiff), image, *options):
            memory = lib.vips_image_write_to_memory(image[0], size)
        if not memory or size[0] != pixels:
            lib.vips_error_clear()
            raise OSError("damaged fax data")
        return bytes(_ffi.buffer(memory, size[0]))
    finally:
        lib.g_free(memory)
        if image[0]:
            lib.g_object_unref(image[0])
