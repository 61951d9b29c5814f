"""The samples of one strip or tile of a TIFF, as numpy arrays of native byte order.

Pillow and libvips call libtiff for what needs a codec: they get a small TIFF of the one chunk, whose bytes come back as
a grey picture. So no kind of sample is ever misread there.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import TiffImageFile

from imgproc.pipeline.images.tiff.fax import decode_fax
from imgproc.pipeline.images.tiff.tiff_layout import BY_LIBTIFF, FAX, ZLIB, Layout

Samples = npt.NDArray[np.generic]
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
DIFFERENCES, FLOAT_DIFFERENCES = 2, 3  # predictors (TIFF 6.0, section 14; TIFF Technical Note 3)


def chunks(source: bytes, layout: Layout) -> Iterator[tuple[int, int, Samples]]:
    """Each chunk within the picture: its left, its top, and its samples as rows, columns and samples.

    Raises:
        OSError: data is missing or damaged.
    """
    planes = layout.samples if layout.is_planar else 1
    count = layout.across * layout.down
    for number in range(count):
        left = number % layout.across * layout.chunk_width
        top = number // layout.across * layout.chunk_height
        rows = layout.chunk_height if layout.is_tiled else min(layout.chunk_height, layout.height - top)
        parts = [_samples(source, layout, number + plane * count, rows) for plane in range(planes)]
        whole = parts[0] if planes == 1 else np.concatenate(parts, axis=2)
        yield left, top, whole[: layout.height - top, : layout.width - left]


def _samples(source: bytes, layout: Layout, number: int, rows: int) -> Samples:
    each = 1 if layout.is_planar else layout.samples
    shape = (rows, layout.chunk_width, each)
    row_bytes = (layout.chunk_width * each * layout.bits + 7) // 8
    data = _inflated(source, layout, number, row_bytes, rows)
    if layout.compression in FAX:
        return np.frombuffer(data, np.uint8, rows * layout.chunk_width).reshape(shape) >> 7
    lines = np.frombuffer(data, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    if layout.predictor == FLOAT_DIFFERENCES and layout.bits > 8:
        return _undo_float_differences(lines, shape, layout.bits)
    samples = _unpacked(lines, shape, layout)
    if layout.predictor == DIFFERENCES and layout.compression != 1:
        samples = np.cumsum(samples, axis=1, dtype=samples.dtype)
    return samples


def _inflated(source: bytes, layout: Layout, number: int, row_bytes: int, rows: int) -> bytes:
    """The bytes of a chunk without their compression, at least `rows` times `row_bytes`."""
    needed = rows * row_bytes
    place = layout.places[number]
    size = layout.sizes[number] if number < len(layout.sizes) else len(source)
    data = source[place : place + (needed if layout.compression == 1 else size)]
    if layout.compression in FAX:
        return decode_fax(_small_tiff(data, layout, layout.chunk_width, rows), pixels=layout.chunk_width * rows)
    if layout.compression in BY_LIBTIFF:
        return _by_libtiff(data, layout, row_bytes, rows)
    if layout.fill_order == 2:
        data = data.translate(REVERSED)
    if layout.compression in ZLIB:
        data = zlib.decompressobj().decompress(data, needed)
    if len(data) < needed:
        raise OSError("image file is truncated")
    return data


def _by_libtiff(data: bytes, layout: Layout, row_bytes: int, rows: int) -> bytes:
    image = TiffImageFile(io.BytesIO(_small_tiff(data, layout, row_bytes, rows)))
    return image.tobytes()


def _small_tiff(data: bytes, layout: Layout, width: int, rows: int) -> bytes:
    """A grey TIFF of one strip of `data`, `width` bytes or bits wide."""
    is_fax = layout.compression in FAX
    options = [(292 if layout.compression == 3 else 293, 4, layout.fax_options)] if layout.compression in {3, 4} else []
    entries = [
        *[(256, 4, width), (257, 4, rows), (258, 3, 1 if is_fax else 8), (259, 3, layout.compression), (262, 3, 1)],
        *[(266, 3, layout.fill_order), (277, 3, 1), (278, 4, rows), (279, 4, len(data)), *options],
    ]
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries.insert(6, (273, 4, start))
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + table + bytes(4) + data


def _unpacked(lines: npt.NDArray[np.uint8], shape: tuple[int, int, int], layout: Layout) -> Samples:
    """The samples of rows of bytes; those of other than whole bytes follow each other from the highest bit."""
    letter = {"uint": "u", "int": "i", "float": "f"}[layout.kind]
    if layout.bits in {8, 16, 32, 64}:
        given = np.dtype(f"{layout.order}{letter}{layout.bits // 8}")
        samples: Samples = lines.reshape(-1).view(given).reshape(shape)
        return samples.astype(given.newbyteorder("="), copy=False)
    if layout.bits == 24:
        weights = np.array([1, 1 << 8, 1 << 16] if layout.order == "<" else [1 << 16, 1 << 8, 1], np.uint32)
        whole: Samples = (lines.reshape(*shape, 3) * weights).sum(axis=3, dtype=np.uint32)
        return whole
    return np.concatenate([_from_bits(line, shape, layout.bits) for line in np.array_split(lines, -(-shape[0] // 64))])


def _from_bits(lines: npt.NDArray[np.uint8], shape: tuple[int, int, int], bits: int) -> Samples:
    single = np.unpackbits(lines, axis=1, count=shape[1] * shape[2] * bits).reshape(-1, *shape[1:], bits)
    samples = np.zeros(single.shape[:-1], np.uint16)
    for bit in range(bits):
        samples = samples << 1 | single[..., bit]
    return samples


def _undo_float_differences(lines: npt.NDArray[np.uint8], shape: tuple[int, int, int], bits: int) -> Samples:
    """Each row holds the highest bytes of all samples, then the next ones, as differences."""
    rows, width, each = shape
    summed = np.cumsum(lines.reshape(rows, -1, each), axis=1, dtype=np.uint8)
    apart = summed.reshape(rows, bits // 8, width * each).transpose(0, 2, 1)
    floats: Samples = np.ascontiguousarray(apart).reshape(-1).view(f">f{bits // 8}").reshape(shape)
    return floats.astype(floats.dtype.newbyteorder("="))
