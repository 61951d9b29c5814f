"""What the samples of an AVIF mean: nclx, or the AV1 sequence header where that is missing (ISO/IEC 23008-12, AV1 5.5).

Pillow gives the ICC profile alone, which counts more than both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.avif.av1_header import HeaderColours, sequence_colours
from imgproc.pipeline.images.avif.avif_boxes import boxes
from imgproc.pipeline.images.colour.colour_spaces import (
    CAMERA_CURVES,
    CURVES,
    HLG,
    PQ,
    PRIMARIES,
    SRGB_CURVE,
    SRGB_PRIMARIES,
    ColourSpace,
    peak_of,
)

UNSHOWN_CURVES = range(9, 13)  # Chromium shows no picture that has one of these.
UNSPECIFIED = HeaderColours(2, 2, 0)
MOST_HEADER = 1024  # bytes of an AV1 sequence header, and more than any has
TO_SAMPLE_ENTRY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"av01")
BEFORE_BOXES = {b"stsd": 8, b"av01": 78, b"meta": 4}
# The shares of red, green and blue in luma, by the matrices of which libyuv makes blue too dark in limited range.
# Chromium converts HDR of more than 8 bits without it.
LUMA = {1: (0.2126, 0.7152, 0.0722), 9: (0.2627, 0.6780, 0.0593)}
RANGE, FULL = 10, 0x80  # the byte of nclx that has the flag of full range
BRAND, ANIMATION = slice(8, 12), b"avis"

Box = tuple[bytes, int, int]  # its name, and where its content starts and ends


class AvifColours(NamedTuple):
    """The colour space, None for sRGB, whether the picture has no colours, and its clap property, empty for none.

    `range_at` is where the file says that its samples are of limited range, if they are to be decoded as of full range.
    """

    space: ColourSpace | None
    is_grey: bool
    aperture: bytes
    range_at: int | None = None


def colours_of_avif(source: bytes) -> AvifColours:
    """The colours of the picture that a decoder shows.

    Raises:
        CompressError: `unsupported_format`, for a transfer curve that no browser shows.
    """
    properties, place = _animation(source) if source[BRAND] == ANIMATION else primary_item(source)
    data = source[place : place + MOST_HEADER] if place else b""
    found = {name: source[start:end] for name, start, end in properties if name != b"colr"}
    header = found.get(b"av1C", b"")
    codes = next((source[start:end] for name, start, end in properties if _is_nclx(source, name, start)), b"")
    if len(codes) >= 8:
        primaries, transfer = int.from_bytes(codes[4:6], "big"), int.from_bytes(codes[6:8], "big")
    else:
        coded = sequence_colours(header[4 : 4 + MOST_HEADER]) or sequence_colours(data) or UNSPECIFIED
        primaries, transfer = coded.primaries, coded.transfer
    is_grey = len(header) > 2 and bool(header[2] & 0x10)
    space, aperture = coded_space(primaries, transfer, _peak(found)), found.get(b"clap", b"")
    luma = LUMA.get(int.from_bytes(codes[8:10], "big")) if len(codes) > RANGE and not codes[RANGE] & FULL else None
    is_deep = len(header) > 2 and bool(header[2] & 0x40)
    if space is None or space.curve not in {PQ, HLG} or luma is None or not is_deep:
        return AvifColours(space, is_grey, aperture)
    place = next(start for name, start, _ in properties if _is_nclx(source, name, start)) + RANGE
    return AvifColours(replace(space, luma=luma), is_grey, aperture, place)


def shown_size(aperture: bytes, size: tuple[int, int]) -> tuple[int, int]:
    """The size of the part that a clean aperture shows (ISO/IEC 14496-12, 12.1.4), if it starts at the top left.

    Chromium shows the whole picture for any other.
    """
    if len(aperture) != 32:
        return size
    numbers = struct.unpack(">4I", aperture[:16]) + struct.unpack(">iIiI", aperture[16:])
    shown = []
    for length, part, offset in zip(size, (numbers[:2], numbers[2:4]), (numbers[4:6], numbers[6:]), strict=True):
        if not part[1] or not offset[1] or part[0] % part[1] or not 0 < part[0] // part[1] <= length:
            return size
        if (length - part[0] // part[1]) * offset[1] + 2 * offset[0]:
            return size
        shown.append(part[0] // part[1])
    return shown[0], shown[1]


def _is_nclx(source: bytes, name: bytes, start: int) -> bool:
    return name == b"colr" and source[start : start + 4] == b"nclx"


def coded_space(primaries: int, transfer: int, peak: float) -> ColourSpace | None:
    """The colour space of these code points (ITU-T H.273), with a peak in cd/m² for PQ and HLG; None for sRGB.

    Raises:
        CompressError: `unsupported_format`, for a curve that browsers do not show.
    """
    if transfer in UNSHOWN_CURVES:
        detail = f"The picture has transfer characteristics {transfer}, which browsers do not show; export it in sRGB."
        raise CompressError(detail, code="unsupported_format")
    curve = SRGB_CURVE if transfer in CAMERA_CURVES else CURVES.get(transfer, SRGB_CURVE)
    space = ColourSpace(PRIMARIES.get(primaries, SRGB_PRIMARIES), curve, peak)
    return None if space.is_srgb else space


def _peak(found: dict[bytes, bytes]) -> float:
    levels, mastered = found.get(b"clli", b""), found.get(b"mdcv", b"")
    return peak_of(content=int.from_bytes(levels[:2], "big"), display=int.from_bytes(mastered[16:20], "big") / 10_000)


def _animation(source: bytes) -> tuple[list[Box], None]:
    """The boxes of the first AV1 track. No place of its data follows, because its av1C has the header."""
    inside: list[Box] = [(b"", 0, len(source))]
    for name in TO_SAMPLE_ENTRY:
        inside = [box for outer in inside for box in _inside(source, outer) if box[0] == name]
    return (_inside(source, inside[0]) if inside else []), None


def _inside(source: bytes, outer: Box) -> list[Box]:
    name, start, end = outer
    return list(boxes(source, start + BEFORE_BOXES.get(name, 0), end))


def primary_item(source: bytes) -> tuple[list[Box], int | None]:
    """The properties of the primary item and where its data starts; of its first tile where it is made of tiles."""
    meta = next((box for box in boxes(source, 0, len(source)) if box[0] == b"meta"), None)
    parts = {box[0]: box for box in _inside(source, meta)} if meta else {}
    if not {b"pitm", b"iprp"} <= parts.keys():
        return [], None
    _, start, _ = parts[b"pitm"]
    item = int.from_bytes(source[start + 4 : start + (6 if source[start] == 0 else 8)], "big")
    properties = _properties(source, parts[b"iprp"], item)
    names = {name for name, *_ in properties}
    if b"av1C" not in names and b"iref" in parts and (tile := _first_tile(source, parts[b"iref"], item)):
        item = tile
        properties += [box for box in _properties(source, parts[b"iprp"], tile) if box[0] not in names]
    return properties, _place(source, parts[b"iloc"], item) if b"iloc" in parts else None


def _properties(source: bytes, iprp: Box, item: int) -> list[Box]:
    inside = _inside(source, iprp)
    pool = [box for outer in inside if outer[0] == b"ipco" for box in _inside(source, outer)]
    owned = (number for box in inside if box[0] == b"ipma" for number in _numbers(source, box, item))
    return [pool[number - 1] for number in owned if 0 < number <= len(pool)]


def _numbers(source: bytes, ipma: Box, item: int) -> Iterator[int]:
    """The numbers of the properties of an item (8.11.14)."""
    _, at, end = ipma
    wide_item, wide_number = (4 if source[at] else 2), (2 if source[at + 3] & 1 else 1)
    at += 8
    while at + wide_item < end:
        owner, count = int.from_bytes(source[at : at + wide_item], "big"), source[at + wide_item]
        at += wide_item + 1
        for place in range(at, at + count * wide_number, wide_number) if owner == item else ():
            number = int.from_bytes(source[place : place + wide_number], "big")
            yield number & (0x7FFF if wide_number == 2 else 0x7F)
        at += count * wide_number


def _first_tile(source: bytes, iref: Box, item: int) -> int:
    """The first item that `item` is derived from; 0 for none (8.11.12)."""
    _, start, end = iref
    wide = 4 if source[start] else 2
    for name, at, _ in boxes(source, start + 4, end):
        if name == b"dimg" and int.from_bytes(source[at : at + wide], "big") == item:
            return int.from_bytes(source[at + wide + 2 : at + 2 * wide + 2], "big")
    return 0


def _place(source: bytes, iloc: Box, item: int) -> int | None:
    """Where the data of an item starts in the file (8.11.3); None where it is not in the file itself."""
    _, at, end = iloc
    version, sizes = source[at], int.from_bytes(source[at + 4 : at + 6], "big")
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    at += 6 + wide
    while at < end:
        owner = int.from_bytes(source[at : at + wide], "big")
        at += wide
        method = source[at + 1] & 15 if version else 0
        at += (2 if version else 0) + 2
        start = int.from_bytes(source[at : at + base], "big")
        count = int.from_bytes(source[at + base : at + base + 2], "big")
        at += base + 2
        if owner == item:
            at += index if version else 0
            return None if method or not count else start + int.from_bytes(source[at : at + offset], "big")
        at += count * (offset + length + (index if version else 0))
    return None
