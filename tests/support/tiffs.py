"""Builds TIFF files of any kind of samples, most of which no encoder in the tests writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

CODES = {"B": 1, "H": 3, "I": 4, "Q": 16}
Tags = dict[int, tuple[str, Sequence[int]]]


def pages_of(*pages: tuple[Tags, Sequence[bytes]], order: str = "<", is_big: bool = False) -> bytes:
    """A TIFF of pages; each has tags, and the bytes of its strips or tiles."""
    link = "Q" if is_big else "I"
    mark = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if is_big else 42)
    head = mark + (struct.pack(order + "HH", 8, 0) if is_big else b"")
    body, tables = b"", []
    start = len(head) + struct.calcsize(link)
    for tags, chunks in pages:
        places = [start + len(body) + sum(map(len, chunks[:number])) for number in range(len(chunks))]
        body += b"".join(chunks)
        body += b"\0" * (len(body) % 2)
        where, sizes = (324, 325) if 322 in tags else (273, 279)
        tables.append({**tags, where: (link, places), sizes: ("I", [len(chunk) for chunk in chunks])})
    links = []
    for tags in tables:
        links.append(start + len(body) + _extra_size(tags, is_big))
        body += _table(tags, start + len(body), order, is_big)
        body += struct.pack(order + link, 0)
    whole = head + struct.pack(order + link, links[0]) + body
    return _chained(whole, tables, links, order, is_big)


def _extra_size(tags: Tags, is_big: bool) -> int:
    return sum(len(raw) for _, _, raw in _packed(tags, "<").values() if len(raw) > (8 if is_big else 4))


def _packed(tags: Tags, order: str) -> dict[int, tuple[int, int, bytes]]:
    packed = {}
    for tag, (form, values) in sorted(tags.items()):
        raw = struct.pack(f"{order}{len(values)}{form}", *values)
        packed[tag] = (CODES[form], len(values), raw + b"\0" * (len(raw) % 2 if len(raw) > 4 else 0))
    return packed


def _table(tags: Tags, start: int, order: str, is_big: bool) -> bytes:
    """The long values, then the table that points at them."""
    count, entry, inline = ("Q", "HHQ", 8) if is_big else ("H", "HHI", 4)
    values, entries = b"", b""
    for tag, (code, length, raw) in _packed(tags, order).items():
        held = raw.ljust(inline, b"\0")
        if len(raw) > inline:
            held = struct.pack(order + ("Q" if is_big else "I"), start + len(values))
            values += raw
        entries += struct.pack(order + entry, tag, code, length) + held
    return values + struct.pack(order + count, len(tags)) + entries


def _chained(whole: bytes, tables: list[Tags], links: list[int], order: str, is_big: bool) -> bytes:
    """Each page's table ends with the place of the next one."""
    link, count, entry = ("Q", 8, 20) if is_big else ("I", 2, 12)
    chained = bytearray(whole)
    for tags, here, following in zip(tables, links, links[1:], strict=False):
        struct.pack_into(order + link, chained, here + count + entry * len(tags), following)
    return bytes(chained)


def tiff_of(
    samples: np.ndarray[Any, Any], photometric: int, *, order: str = "<", is_big: bool = False, **options: Any
) -> bytes:
    """A TIFF of an array of rows, columns and samples; `options` are those of `page_of`."""
    return pages_of(page_of(samples, photometric, order=order, **options), order=order, is_big=is_big)


def page_of(
    samples: np.ndarray[Any, Any],
    photometric: int,
    *,
    order: str = "<",
    is_planar: bool = False,
    tile: int = 0,
    rows: int = 7,
    zipped: bool = False,
    predicted: bool = False,
    extras: Sequence[int] = (),
    tags: Tags | None = None,
) -> tuple[Tags, list[bytes]]:
    """The tags of a page, and its strips, or its square tiles of a side of `tile`."""
    height, width, count = samples.shape
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    planes = [samples[..., number : number + 1] for number in range(count)] if is_planar else [samples]
    chunks = [
        _chunk(part, order, zipped=zipped, predicted=predicted)
        for plane in planes
        for part in _parts(plane, tile, rows)
    ]
    described: Tags = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [samples.dtype.itemsize * 8] * count),
        259: ("H", [8 if zipped else 1]),
        262: ("H", [photometric]),
        277: ("H", [count]),
        284: ("H", [2 if is_planar else 1]),
        339: ("H", [kind] * count),
        **({322: ("I", [tile]), 323: ("I", [tile])} if tile else {278: ("I", [rows])}),
        **({338: ("H", extras)} if extras else {}),
        **({317: ("H", [3 if kind == 3 else 2])} if predicted else {}),
    }
    return described | (tags or {}), chunks


def _parts(plane: np.ndarray[Any, Any], tile: int, rows: int) -> list[np.ndarray[Any, Any]]:
    height, width, _ = plane.shape
    if not tile:
        return [plane[top : top + rows] for top in range(0, height, rows)]
    padded = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0)))
    return [
        padded[top : top + tile, left : left + tile] for top in range(0, height, tile) for left in range(0, width, tile)
    ]


def _chunk(part: np.ndarray[Any, Any], order: str, *, zipped: bool, predicted: bool) -> bytes:
    raw = part.astype(part.dtype.newbyteorder(order)).tobytes()
    if predicted and part.dtype.kind == "f":
        raw = _float_differences(part)
    elif predicted:
        raw = np.diff(part, axis=1, prepend=part[:, :1] * 0).astype(part.dtype.newbyteorder(order)).tobytes()
    return zlib.compress(raw) if zipped else raw


def _float_differences(part: np.ndarray[Any, Any]) -> bytes:
    """The bytes of a row by their weight, then their differences (TIFF Technical Note 3)."""
    rows, width, count = part.shape
    size = part.dtype.itemsize
    apart = part.astype(part.dtype.newbyteorder(">")).view(np.uint8).reshape(rows, width * count, size)
    lines = apart.transpose(0, 2, 1).reshape(rows, -1, count)
    return bytes(np.diff(lines, axis=1, prepend=lines[:, :1] * 0).tobytes())


def packed_bits(numbers: np.ndarray[Any, Any], bits: int) -> bytes:
    """Rows of numbers of this many bits, from the highest bit on; each row ends at a whole byte."""
    lines = numbers.reshape(len(numbers), -1).astype(np.uint32)
    return b"".join(
        np.packbits((line[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).ravel()).tobytes()
        for line in lines
    )
