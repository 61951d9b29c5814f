"""Encodes a large picture as an AVIF of tiles (ISO/IEC 23008-12, 6.6.2.3.2: a derived image of type grid).

Encoding AVIF takes some 30 bytes a pixel and cannot be stopped. Tile by tile, it takes the memory of one tile, and the
time is checked between two tiles: the remaining ones get less effort, or the picture is refused.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from PIL import Image

from imgproc.pipeline.images.avif.avif_boxes import CONTAINERS, boxes
from imgproc.pipeline.images.encoders.white_avif import has_white_areas, marked_limited, to_limited
from imgproc.pipeline.images.guards.cost import MB, CpuTime

TILE = 1536  # pixels a side at most; encoding one takes 75 MB
MOST_BYTES = 48 * MB  # of a file, which is in memory twice at the end; only noise has more
FASTEST = 10  # the encoder's speed when the usual one would take too long
ESSENTIAL = 0x80  # marks a property that a decoder must understand
ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"

Box = tuple[int, int, int, int]


class _Tile(NamedTuple):
    """An AVIF of one picture: its coded data, and its boxes by name, headers included."""

    data: bytes
    boxes: dict[bytes, bytes]


def encode_grid(picture: Image.Image, *, quality: int, time: CpuTime, **settings: Any) -> bytes:
    """Encode `picture` as an AVIF of tiles; transparency gets tiles of its own.

    Raises:
        MemoryError: the file would have more than `MOST_BYTES`.
        TimeoutError: the picture takes too much time even with little effort.
    """
    columns, width = _split(picture.width)
    rows, height = _split(picture.height)
    places = [(x * width, y * height, (x + 1) * width, (y + 1) * height) for y in range(rows) for x in range(columns)]
    settings["subsampling"] = _subsampling(picture)
    is_limited = has_white_areas(picture)
    pace = _Pace(time, len(places) * (2 if picture.mode == "RGBA" else 1), settings.pop("speed"))
    colours, alphas = [], []
    for place in places:
        part = _cut(picture, place)
        if part.mode == "RGBA":
            alphas.append(pace.encode(part.getchannel("A"), quality=quality, **settings | {"subsampling": "4:0:0"}))
            part = part.convert("RGB")
        part = to_limited(part, quality=quality) if is_limited else part
        colours.append(pace.encode(part, is_limited=is_limited, quality=quality, **settings))
    return _file(colours, alphas, size=picture.size, tile=(width, height), grid=(rows, columns))


def _subsampling(picture: Image.Image) -> str:
    if picture.mode == "L":
        return "4:0:0"
    is_odd = picture.width % 2 or picture.height % 2
    return "4:4:4" if is_odd else "4:2:0"  # Colours at half the resolution need even sides.


def _split(length: int) -> tuple[int, int]:
    """The number of tiles along a side, and the even length of each."""
    count = -(-length // TILE)
    return count, -(-length // count // 2) * 2


def _cut(picture: Image.Image, place: Box) -> Image.Image:
    """One tile; beyond the picture it repeats the last row and column, so that no other colour bleeds in."""
    left, top, right, bottom = place
    width, height = right - left, bottom - top
    part = picture.crop((left, top, min(right, picture.width), min(bottom, picture.height)))
    if part.size == (width, height):
        return part
    whole = Image.new(part.mode, (width, height))
    whole.paste(part)
    if width > part.width:
        edge = part.crop((part.width - 1, 0, part.width, part.height))
        whole.paste(edge.resize((width - part.width, part.height)), (part.width, 0))
    if height > part.height:
        edge = whole.crop((0, part.height - 1, width, part.height))
        whole.paste(edge.resize((width, height - part.height)), (0, part.height))
    return whole


class _Pace:
    """Encodes tiles with as much effort as the time allows, up to `MOST_BYTES`."""

    def __init__(self, time: CpuTime, count: int, speed: int) -> None:
        self._time, self._left, self._speed, self._bytes = time, count, speed, 0

    def encode(self, part: Image.Image, *, is_limited: bool = False, **settings: Any) -> _Tile:
        """Encode one tile, whose samples may be of limited range.

        Raises:
            MemoryError: all tiles together have too many bytes.
            TimeoutError: no time is left.
        """
        if self._bytes > MOST_BYTES:
            raise MemoryError("the file is too large")
        if self._time.left < 0:
            raise TimeoutError("no time left for the other tiles")
        before, stream = self._time.left, io.BytesIO()
        part.save(stream, "AVIF", speed=self._speed, **settings)
        self._left -= 1
        if (before - self._time.left) * self._left > self._time.left:
            self._speed = FASTEST
        body = stream.getvalue()
        self._bytes += len(body)
        return _read(marked_limited(body) if is_limited else body)


def _read(avif: bytes) -> _Tile:
    """Take apart an AVIF of one picture that our own encoder wrote."""
    found: dict[bytes, bytes] = {}
    data = b""

    def walk(start: int, end: int) -> None:
        nonlocal data
        for name, begin, stop in boxes(avif, start, end):
            if name == b"mdat":
                data = avif[begin:stop]
                continue
            found[name] = _box(name, avif[begin:stop])
            if name in CONTAINERS:
                walk(begin + CONTAINERS[name], stop)

    walk(0, len(avif))
    return _Tile(data, found)


def _box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def _full(name: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _file(
    colours: list[_Tile], alphas: list[_Tile], *, size: tuple[int, int], tile: tuple[int, int], grid: tuple[int, int]
) -> bytes:
    """Build the file. Item 1 is the picture; its tiles follow, then the transparency, if any, and its tiles."""
    rows, columns = grid
    derived = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    items = [derived, *(tile.data for tile in colours)]
    first = colours[0].boxes
    properties = [_ispe(size), _ispe(tile), first[b"colr"], first[b"pixi"], first[b"av1C"]]
    # Each item has some of these properties, by their numbers from 1.
    owned = [[1, 3, 4], *[[2, ESSENTIAL | 5, 3, 4]] * len(colours)]
    references = [_reference(b"dimg", 1, range(2, 2 + len(colours)))]
    pictures = {1}
    if alphas:
        alpha, other = len(items) + 1, alphas[0].boxes
        items += [derived, *(tile.data for tile in alphas)]
        properties += [_full(b"auxC", ALPHA), other[b"pixi"], other[b"av1C"]]
        owned += [[1, 6, 7], *[[2, ESSENTIAL | 8, 6, 7]] * len(alphas)]
        references.append(_reference(b"auxl", alpha, [1]))
        references.append(_reference(b"dimg", alpha, range(alpha + 1, alpha + 1 + len(alphas))))
        pictures.add(alpha)
    head = [first[b"hdlr"], _full(b"pitm", struct.pack(">H", 1))]
    tail = [_infos(len(items), pictures), _full(b"iref", *references), _properties(properties, owned)]
    before = len(first[b"ftyp"]) + len(_meta(head, tail, items, start=0)) + 8
    data = struct.pack(">I4s", 8 + sum(map(len, items)), b"mdat")  # A box made by `_box` would be another copy of all.
    return b"".join([first[b"ftyp"], _meta(head, tail, items, start=before), data, *items])


def _meta(head: list[bytes], tail: list[bytes], items: list[bytes], *, start: int) -> bytes:
    return _full(
        b"meta", *head, _full(b"iloc", b"\x44\0", struct.pack(">H", len(items)), *_places(items, start)), *tail
    )


def _places(items: list[bytes], start: int) -> Iterator[bytes]:
    for number, data in enumerate(items, 1):
        yield struct.pack(">HHHII", number, 0, 1, start, len(data))
        start += len(data)


def _infos(count: int, pictures: set[int]) -> bytes:
    """The type of each item: `pictures` are grids, all others tiles. Tiles are hidden, so no reader shows one."""
    entries = (_info(number, b"grid" if number in pictures else b"av01") for number in range(1, count + 1))
    return _full(b"iinf", struct.pack(">H", count), *entries)


def _info(number: int, kind: bytes) -> bytes:
    return _full(b"infe", struct.pack(">HH4s", number, 0, kind), b"\0", version=2, flags=int(kind == b"av01"))


def _reference(kind: bytes, source: int, targets: Sequence[int]) -> bytes:
    return _box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))


def _properties(properties: list[bytes], owned: list[list[int]]) -> bytes:
    """The properties, and the numbers of those that each item has."""
    entries = (struct.pack(">HB", item, len(numbers)) + bytes(numbers) for item, numbers in enumerate(owned, 1))
    return _box(b"iprp", _box(b"ipco", *properties), _full(b"ipma", struct.pack(">I", len(owned)), *entries))


def _ispe(size: tuple[int, int]) -> bytes:
    return _full(b"ispe", struct.pack(">II", *size))
