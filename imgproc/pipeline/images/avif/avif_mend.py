"""Joins the tables of an AVIF that our decoder refuses in two pieces, and browsers accept."""

from __future__ import annotations

import struct
from collections import defaultdict

from imgproc.pipeline.images.avif.avif_boxes import boxes

HEADER = 8  # bytes of a box before its content
BEFORE_ENTRIES = 8  # bytes of an ipma: version, flags, and the number of entries
META_START = 4  # bytes of a meta before its boxes


def join_associations(source: bytes) -> bytes:
    """The file with one ipma for each version and flags (ISO/IEC 14496-12, 8.11.14); `source` itself where it has.

    The file keeps its length, since it says where its pictures start: an ignored property fills the gap.
    """
    meta = _find(source, b"meta", 0, len(source))
    iprp = meta and _find(source, b"iprp", meta[0] + META_START, meta[1])
    inside = list(boxes(source, *iprp)) if iprp else []
    tables = [source[start:end] for name, start, end in inside if name == b"ipma"]
    kinds = defaultdict[bytes, list[bytes]](list)
    for table in tables:
        kinds[table[:4]].append(table)
    if not iprp or len(kinds) == len(tables) or {name for name, *_ in inside} != {b"ipco", b"ipma"}:
        return source
    joined = b"".join(_box(b"ipma", _join(same)) for same in kinds.values())
    gap = (HEADER + BEFORE_ENTRIES) * (len(tables) - len(kinds))
    pool = b"".join(source[start:end] for name, start, end in inside if name == b"ipco")
    content = _box(b"ipco", pool + _box(b"free", bytes(gap - HEADER))) + joined
    return source[: iprp[0]] + content + source[iprp[1] :] if len(content) == iprp[1] - iprp[0] else source


def _find(source: bytes, name: bytes, start: int, end: int) -> tuple[int, int] | None:
    return next(((begin, stop) for found, begin, stop in boxes(source, start, end) if found == name), None)


def _join(tables: list[bytes]) -> bytes:
    count = sum(int.from_bytes(table[4:BEFORE_ENTRIES], "big") for table in tables) % 2**32
    return tables[0][:4] + struct.pack(">I", count) + b"".join(table[BEFORE_ENTRIES:] for table in tables)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", HEADER + len(content), name) + content
