"""Encodes JPEG by mozjpeg: rate-distortion optimization, and quantization tables tuned for MS-SSIM.

pyvips-binary, a build of libvips, is the only wheel with mozjpeg's encoder. Its Python binding, pyvips, has no wheel,
and building it on a machine with the headers of libvips links another library than the one we pin. So we call the C
functions ourselves; they belong to the stable interface of libvips 8
(https://www.libvips.org/API/current/ctor.Image.new_from_memory.html).
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

from cffi import FFI
from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.encoders.encode import keeps_full_colours
from imgproc.pipeline.images.libvips import functions_of

FUNCTIONS = """
    void *vips_image_new_from_memory(const void *pixels, size_t size, int width, int height, int bands, int format);
    int vips_jpegsave_buffer(void *image, void **body, size_t *size, ...);
    void vips_error_clear(void);
    void g_object_unref(void *object);
    void g_free(void *memory);
"""
UCHAR = 0  # VipsBandFormat: one byte a band
HALF_COLOURS, FULL_COLOURS = 1, 2  # VipsForeignSubsample
# Optional arguments of vips_jpegsave_buffer. quant_table 2 and the trellis are mozjpeg's (jcparam.c); keep 0 means "no
# metadata".
OPTIONS = {
    "quant_table": 2,
    "trellis_quant": 1,
    "overshoot_deringing": 1,
    "interlace": 1,
    "optimize_coding": 1,
    "optimize_scans": 1,
    "keep": 0,
}
_ffi = FFI()
_ffi.cdef(FUNCTIONS)


def encode_mozjpeg(picture: Image.Image, quality: int) -> bytes:
    """Encode `picture`, in mode L or RGB, as a progressive JPEG without metadata; `quality` is 1 to 100.

    A quality at which white would not stay white gives way to the next that keeps it.

    Raises:
        CompressError: `encode_failed`, where the picture cannot be a JPEG.
    """
    colours = FULL_COLOURS if keeps_full_colours(picture, "jpeg") else HALF_COLOURS
    return _encode(picture, Q=_white_quality(quality), subsample_mode=colours, **OPTIONS)


@cache
def _white_quality(quality: int) -> int:
    white = Image.new("L", (8, 8), "white")
    for each in range(quality, 100):
        with Image.open(io.BytesIO(_encode(white, Q=each, **OPTIONS)), formats=["JPEG"]) as image:
            if image.getpixel((0, 0)) == 255:
                return each
    return 100


def _encode(picture: Image.Image, **options: int) -> bytes:
    lib = functions_of(_ffi)
    pixels = picture.tobytes()  # libvips reads them in place, so they must outlive the image.
    bands = len(picture.getbands())
    image = lib.vips_image_new_from_memory(_ffi.from_buffer(pixels), len(pixels), *picture.size, bands, UCHAR)
    body, size = _ffi.new("void **"), _ffi.new("size_t *")
    try:
        if not image or lib.vips_jpegsave_buffer(image, body, size, *_arguments(**options)):
            lib.vips_error_clear()
            detail = "The picture cannot be encoded as jpeg; try another format."
            raise CompressError(detail, code="encode_failed")
        return bytes(_ffi.buffer(body[0], size[0]))
    finally:
        lib.g_free(body[0])
        if image:
            lib.g_object_unref(image)


def _arguments(**options: int) -> list[Any]:
    """Names and values in turn, then NULL: the way libvips takes optional arguments."""
    pairs = [(_ffi.new("char[]", name.encode()), _ffi.cast("int", number)) for name, number in options.items()]
    return [each for pair in pairs for each in pair] + [_ffi.NULL]
