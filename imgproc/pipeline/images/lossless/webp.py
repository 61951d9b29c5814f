"""A WebP (RFC 9649) without anything but its picture: a lossless one encoded anew, a lossy one taken over.

Nothing encodes a lossy one anew without a loss. Decoders pass over what stands behind the last bit that they need, so
each part is decoded once more without its last bytes, which then must fail.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.cost import CpuTime
from imgproc.pipeline.images.encode import encode
from imgproc.pipeline.images.lossless.vp8 import count_partitions, first_partition, with_less_of_first
from imgproc.pipeline.images.readers import open_image

SLACK = 4  # bytes; encoders pad with two at most
LOSSLESS_SECONDS = 0.8 / 10**6  # a pixel, of decoding it once more and encoding it
LOSSLESS_PIXELS = 8 * 1024 * 1024  # The encoder takes 30 bytes for each.


class _Unkeepable(ValueError):
    """The file holds what we do not know, or does not keep to its format."""


def keep_webp(source: bytes, time: CpuTime) -> bytes | None:
    """The same pixels and transparency.

    None where more is in the file, it does not keep to its format, or no `time` is left.
    """
    try:
        chunks = _picture(source)
        if b"VP8L" in chunks:
            return _encode_anew(source, time)
        for kind, body in chunks.items():
            _check(kind, body, chunks)
        return _file(chunks)
    except (_Unkeepable, CompressError, struct.error, LookupError, MemoryError):
        return None


def _require(truth: object) -> None:
    if not truth:
        raise _Unkeepable


def _picture(source: bytes) -> dict[bytes, bytes]:
    """The chunks of the picture: VP8L, or VP8, or VP8 with its transparency and the header that says so."""
    (size,) = struct.unpack_from("<I", source, 4)
    _require(source[:4] == b"RIFF" and source[8:12] == b"WEBP" and 8 + size <= len(source))
    chunks: dict[bytes, bytes] = {}
    for kind, body in _chunks(source[: 8 + size]):
        _require(kind not in {b"ANIM", b"ANMF"})
        chunks.setdefault(kind, body)
    _require((b"VP8L" in chunks) + (b"VP8 " in chunks) == 1)
    if b"ALPH" in chunks and b"VP8 " in chunks:
        _require(len(chunks[b"VP8X"]) == 10)
        header = b"\x10\0\0\0" + chunks[b"VP8X"][4:]
        return {b"VP8X": header, b"ALPH": chunks[b"ALPH"], b"VP8 ": chunks[b"VP8 "]}
    return {kind: body for kind, body in chunks.items() if kind in {b"VP8 ", b"VP8L"}}


def _chunks(source: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(source):
        kind, length = struct.unpack_from("<4sI", source, position)
        body = source[position + 8 : position + 8 + length]
        _require(len(body) == length)
        yield kind, body
        position += 8 + length + length % 2


def _file(chunks: dict[bytes, bytes]) -> bytes:
    written = (kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in chunks.items())
    file = b"WEBP" + b"".join(written)
    return b"RIFF" + struct.pack("<I", len(file)) + file


def _encode_anew(source: bytes, time: CpuTime) -> bytes:
    with open_image(io.BytesIO(source), "webp") as image:
        pixels = image.width * image.height
        _require(pixels <= LOSSLESS_PIXELS and LOSSLESS_SECONDS * pixels < time.left)
        image.load()
        return encode(image, target="webp", quality=100, lossless=True, exact=True, method=4)


def _check(kind: bytes, body: bytes, chunks: dict[bytes, bytes]) -> None:
    """Require that a chunk ends in no more than padding, and so the first part of a lossy picture."""
    if kind == b"VP8X":
        return
    if kind == b"ALPH" and not body[0] & 3:  # not compressed: a byte for each pixel
        width, height = (1 + int.from_bytes(chunks[b"VP8X"][at : at + 3], "little") for at in (4, 7))
        _require(len(body) == 1 + width * height)
    _require(not _decodes(chunks | {kind: body[:-SLACK]}))
    if kind == b"VP8 ":
        _require(first_partition(body) > SLACK and count_partitions(body) == 1)
        _require(not _decodes(chunks | {kind: with_less_of_first(body, SLACK)}))


def _decodes(chunks: dict[bytes, bytes]) -> bool:
    try:
        with open_image(io.BytesIO(_file(chunks)), "webp") as image:
            image.load()
    except (OSError, ValueError):
        return False
    return True
