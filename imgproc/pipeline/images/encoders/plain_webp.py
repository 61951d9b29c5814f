"""Encodes lossy WebP by libwebp, so that white stays white and thin strokes keep their colour.

Pillow passes on neither a picture in Y'CbCr nor sharp conversion to it. So we call the functions of the libwebp that is
linked to it; they belong to its stable interface (https://developers.google.com/speed/webp/docs/api).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cffi import FFI
from PIL import Image, _webp

ABI = 0x0200  # WEBP_ENCODER_ABI_VERSION; libwebp refuses another major version, the first byte
FUNCTIONS = """
    typedef struct {
        int lossless; float quality; int method, image_hint, target_size; float target_psnr;
        int segments, sns_strength, filter_strength, filter_sharpness, filter_type, autofilter;
        int alpha_compression, alpha_filtering, alpha_quality, pass, show_compressed, preprocessing, partitions;
        int partition_limit, emulate_jpeg_size, thread_level, low_memory, near_lossless, exact, use_delta_palette;
        int use_sharp_yuv, qmin, qmax;
        int room[64];
    } WebPConfig;
    typedef struct {
        int use_argb, colorspace, width, height;
        uint8_t *y, *u, *v; int y_stride, uv_stride; uint8_t *a; int a_stride; uint32_t pad1[2];
        uint32_t *argb; int argb_stride; uint32_t pad2[3];
        void *writer, *custom_ptr; int extra_info_type; uint8_t *extra_info; void *stats;
        int error_code; void *progress_hook, *user_data; uint32_t pad3[3]; uint8_t *pad4, *pad5; uint32_t pad6[8];
        void *memory, *memory_argb, *pad7[2];
        int room[64];
    } WebPPicture;
    typedef struct { uint8_t *mem; size_t size, max_size; uint32_t pad; } WebPMemoryWriter;
    int WebPConfigInitInternal(WebPConfig *, int preset, float quality, int version);
    int WebPPictureInitInternal(WebPPicture *, int version);
    int WebPPictureImportRGB(WebPPicture *, const uint8_t *, int stride);
    int WebPPictureImportRGBA(WebPPicture *, const uint8_t *, int stride);
    int WebPPictureSharpARGBToYUVA(WebPPicture *);
    int WebPEncode(const WebPConfig *, WebPPicture *);
    void WebPPictureFree(WebPPicture *);
    void WebPMemoryWriterInit(WebPMemoryWriter *);
    void WebPMemoryWriterClear(WebPMemoryWriter *);
    int WebPMemoryWrite(const uint8_t *, size_t, const WebPPicture *);
"""
WHITE = 235  # of Y' in the range of video
# The luma that the encoder gets for white. It may leave white some levels darker, and decoders show all above 235 as
# white.
RAISED = 243
_RAISE = [*range(WHITE), *[RAISED] * (256 - WHITE)]
_ffi = FFI()
_ffi.cdef(FUNCTIONS)


def save_webp(picture: Image.Image, *, quality: int, method: int, sharp: bool) -> bytes:
    """The picture, in mode L, RGB or RGBA, as lossy WebP; `sharp` keeps more of the colour of thin strokes.

    Raises:
        OSError: libwebp cannot encode it.
    """
    lib = _library()
    picture = picture.convert("RGB") if picture.mode == "L" else picture
    config, image, writer = _ffi.new("WebPConfig *"), _ffi.new("WebPPicture *"), _ffi.new("WebPMemoryWriter *")
    lib.WebPMemoryWriterInit(writer)
    if not (lib.WebPConfigInitInternal(config, 0, quality, ABI) and lib.WebPPictureInitInternal(image, ABI)):
        raise OSError("this version of libwebp is not supported")
    try:
        config.method, image.use_argb, (image.width, image.height) = method, sharp, picture.size
        image.writer, image.custom_ptr = _ffi.cast("void *", lib.WebPMemoryWrite), writer
        read = lib.WebPPictureImportRGBA if picture.mode == "RGBA" else lib.WebPPictureImportRGB
        done = read(image, _ffi.from_buffer(picture.tobytes()), len(picture.getbands()) * picture.width)
        if done and sharp:
            done = lib.WebPPictureSharpARGBToYUVA(image)
        if done:
            _raise_white(image)
        if not done or not lib.WebPEncode(config, image):
            raise OSError(f"libwebp reports error {image.error_code}")
        return bytes(_ffi.buffer(writer.mem, writer.size))
    finally:
        lib.WebPPictureFree(image)
        lib.WebPMemoryWriterClear(writer)


def _raise_white(image: Any) -> None:
    plane = _ffi.buffer(image.y, image.y_stride * image.height)
    plane[:] = Image.frombuffer("L", (image.y_stride, image.height), plane, "raw", "L", 0, 1).point(_RAISE).tobytes()


@cache
def _library() -> Any:
    """The libwebp that Pillow's extension module is linked to; its handle finds the functions."""
    return _ffi.dlopen(_webp.__file__)
