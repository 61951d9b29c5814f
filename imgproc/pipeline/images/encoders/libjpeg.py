"""Encodes JPEG by the libjpeg-turbo that is linked to Pillow, with Huffman tables that Pillow cannot pass on.

Its functions belong to the stable interface of libjpeg 6b (https://github.com/libjpeg-turbo/libjpeg-turbo). They
read the pixels where Pillow holds them, and run without the GIL.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from functools import cache
from typing import IO, Any, NamedTuple

from cffi import FFI
from PIL import Image, _imaging, features

from imgproc.pipeline.images.encoders.scratch import written

FUNCTIONS = """
    typedef struct { uint8_t bits[17], huffval[256]; int sent_table; } JHUFF_TBL;
    typedef struct { uint16_t quantval[64]; int sent_table; } JQUANT_TBL;
    typedef struct { int component_id, component_index, h_samp_factor, v_samp_factor; } jpeg_component_info;
    typedef struct { void *error_exit; char room[1024]; } jpeg_error_mgr;
    typedef struct {
        jpeg_error_mgr *err; void *mem, *progress, *client_data; int is_decompressor, global_state; void *dest;
        unsigned image_width, image_height; int input_components, in_color_space; double input_gamma;
        int data_precision, num_components, jpeg_color_space; jpeg_component_info *comp_info;
        JQUANT_TBL *quant_tbl_ptrs[4]; JHUFF_TBL *dc_huff_tbl_ptrs[4], *ac_huff_tbl_ptrs[4];
        uint8_t arith_dc_L[16], arith_dc_U[16], arith_ac_K[16]; int num_scans; void *scan_info;
        int raw_data_in, arith_code, optimize_coding, CCIR601_sampling, smoothing_factor, dct_method;
        unsigned restart_interval; int restart_in_rows;
        int write_JFIF_header; uint8_t JFIF_major_version, JFIF_minor_version, density_unit;
        uint16_t X_density, Y_density; int write_Adobe_marker; unsigned next_scanline;
        int progressive_mode, max_h_samp_factor, max_v_samp_factor; unsigned total_iMCU_rows;
        int comps_in_scan; void *cur_comp_info[4]; unsigned MCUs_per_row, MCU_rows_in_scan;
        int blocks_in_MCU, MCU_membership[10], Ss, Se, Ah, Al;
        void *master, *main, *prep, *coef, *marker, *cconvert, *downsample, *fdct, *entropy, *script_space;
        int script_space_size;
    } jpeg_compress_struct;
    void jpeg_std_error(jpeg_error_mgr *);
    void jpeg_CreateCompress(jpeg_compress_struct *, int version, size_t structsize);
    void jpeg_set_defaults(jpeg_compress_struct *);
    void jpeg_set_quality(jpeg_compress_struct *, int quality, int force_baseline);
    void jpeg_stdio_dest(jpeg_compress_struct *, void *file);
    void jpeg_start_compress(jpeg_compress_struct *, int write_all_tables);
    unsigned jpeg_write_scanlines(jpeg_compress_struct *, uintptr_t *rows, unsigned);
    void jpeg_finish_compress(jpeg_compress_struct *);
    void jpeg_destroy_compress(jpeg_compress_struct *);
    void abort(void);
    void *fdopen(int, const char *mode);
    int fclose(void *file);
    typedef struct ArrowArray {
        int64_t length, null_count, offset, n_buffers, n_children;
        const void **buffers; struct ArrowArray **children;
    } ArrowArray;
"""
VERSION = 62  # of libjpeg's interface: Pillow's wheels have 6b
SAMPLES = {"L": (1, 1), "RGB": (4, 7)}  # bytes that Pillow holds for each pixel, and libjpeg's J_COLOR_SPACE
MAX_SIDE = 65_500  # JPEG_MAX_DIMENSION
STRIP_ROWS = 16  # of a picture that Pillow does not hold in one piece; more would miss the cache
WHITE_DC = 8 * 127  # the DC coefficient of a white block (ITU-T T.81, A.3.3)
LEAST_WHITE_DC = 8 * 126.5  # Decoders round this and above to white.
_ffi = FFI()
_ffi.cdef(FUNCTIONS)
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


class Table(NamedTuple):
    """A Huffman table: how many codes there are of each length from 0 to 16, and their values in this order."""

    bits: bytes
    values: bytes


class Encoded(NamedTuple):
    """A JPEG, and the tables that were found for it: DC and AC of lightness, then of colours."""

    body: bytes
    tables: list[Table]


def is_available() -> bool:
    """Whether Pillow is linked to a libjpeg-turbo with the interface we know."""
    return _library() is not None


def encode_jpeg(
    picture: Image.Image,
    *,
    quality: int,
    full_colours: bool,
    tables: Iterable[Table] | None = None,
    rows: Sequence[int] | None = None,
    steps: Sequence[Sequence[int]] = (),
) -> Encoded:
    """The picture, in mode L or RGB, as a sequential JPEG in which white stays white; with `rows`, these alone.

    `steps` are quantization tables of lightness and colours, row by row, in place of those of the quality.

    Without `tables`, those are found that suit the picture best: that takes about twice as long, and 3 bytes a pixel (6
    with full colours).

    Raises:
        OSError: libjpeg would refuse the picture.
    """
    rows = range(picture.height) if rows is None else rows
    if picture.mode not in SAMPLES or not rows or max(picture.size) > MAX_SIDE:
        raise OSError(f"libjpeg encodes L and RGB of 1 to {MAX_SIDE:,} pixels a side")
    found: list[Table] = []

    def write(file: IO[bytes]) -> None:
        found.extend(_write(file, picture, rows, tables, quality=quality, full_colours=full_colours, steps=steps))

    return Encoded(written(write), found)


def _write(
    file: IO[bytes], picture: Image.Image, rows: Sequence[int], tables: Iterable[Table] | None, **settings: Any
) -> list[Table]:
    """Encode to a file descriptor; return the Huffman tables that were found, if none are given."""
    lib = _library()
    job, errors = _ffi.new("jpeg_compress_struct *"), _ffi.new("jpeg_error_mgr *")
    lib.jpeg_std_error(errors)
    # libjpeg must not return from an error. One can happen after the checks of `encode_jpeg`: no memory is left.
    errors.error_exit = _ffi.cast("void *", lib.abort)
    job.err = errors
    lib.jpeg_CreateCompress(job, VERSION, _ffi.sizeof("jpeg_compress_struct"))
    stream = lib.fdopen(os.dup(file.fileno()), b"wb")
    try:
        lib.jpeg_stdio_dest(job, stream)
        job.image_width, job.image_height = picture.width, len(rows)
        job.input_components, job.in_color_space = SAMPLES[picture.mode]
        slots = _set(lib, job, **settings)
        job.optimize_coding = tables is None
        for slot, table in zip(slots, tables or (), strict=False):
            _ffi.memmove(slot.bits, table.bits, len(table.bits))
            _ffi.memmove(slot.huffval, table.values, len(table.values))
        lib.jpeg_start_compress(job, 1)
        _write_rows(lib, job, picture, rows)
        lib.jpeg_finish_compress(job)
        return [_found(slot) for slot in slots] if tables is None else []
    finally:
        lib.jpeg_destroy_compress(job)
        lib.fclose(stream)


def _found(slot: Any) -> Table:
    bits = _ffi.buffer(slot.bits)[:]
    return Table(bits, _ffi.buffer(slot.huffval, sum(bits))[:])


def _set(lib: Any, job: Any, *, quality: int, full_colours: bool, steps: Sequence[Sequence[int]]) -> list[Any]:
    """Set what decides about the pixels; return the places of the Huffman tables, in the order of `Encoded`."""
    lib.jpeg_set_defaults(job)
    lib.jpeg_set_quality(job, quality, 1)
    for place, table in zip(job.quant_tbl_ptrs[0:2], steps, strict=False):
        place.quantval = table
    lightness = job.quant_tbl_ptrs[0].quantval
    lightness[0] = white_step(lightness[0])
    if full_colours:
        job.comp_info[0].h_samp_factor = job.comp_info[0].v_samp_factor = 1
    return [tables[number] for number in (0, 1) for tables in (job.dc_huff_tbl_ptrs, job.ac_huff_tbl_ptrs)]


def white_step(usual: int) -> int:
    """The largest quantization step up to `usual` that keeps white, which is the largest DC coefficient.

    Some steps round it down, to 254 or as far as 248.
    """
    return next(step for step in range(usual, 0, -1) if round(WHITE_DC / step) * step >= LEAST_WHITE_DC)


def _write_rows(lib: Any, job: Any, picture: Image.Image, rows: Sequence[int]) -> None:
    """Encode rows of a picture: where they are, or copies of strips if Pillow holds it in several pieces of memory."""
    try:
        _, capsule = picture.__arrow_c_array__()  # holds the pixels while it lives
    except ValueError:
        for first in range(0, len(rows), STRIP_ROWS):
            strip = rows[first : first + STRIP_ROWS]
            _write_rows(lib, job, picture.crop((0, strip[0], picture.width, strip[-1] + 1)), range(len(strip)))
        return
    array = _ffi.cast("ArrowArray *", _pointer_of(capsule, b"arrow_array"))
    start = int(_ffi.cast("uintptr_t", (array.children[0] if array.n_children else array).buffers[1]))
    stride = picture.width * job.input_components
    places = _ffi.new("uintptr_t[]", [start + stride * row for row in rows])
    done = 0
    while done < len(rows):
        done += lib.jpeg_write_scanlines(job, places + done, len(rows) - done)


@cache
def _library() -> Any:
    """The libjpeg-turbo that Pillow's extension module is linked to, whose handle finds the functions; None for others.

    Another interface would have another structure, and a static library has no functions to find.
    """
    if not features.check_feature("libjpeg_turbo") or features.version_codec("jpg") != f"{VERSION / 10}":
        return None
    lib: Any = _ffi.dlopen(_imaging.__file__)
    try:
        return lib if lib.jpeg_stdio_dest else None
    except AttributeError:
        return None
