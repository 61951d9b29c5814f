"""A large picture as an AVIF of tiles (ISO/IEC 23008-12, 6.6.2.3.2: a derived image of type grid).

Encoding AVIF takes some 30 bytes a pixel and cannot be stopped. In tiles it takes those of one tile, and between two of
them we see how the time goes: the tiles that are left get less effort, or the picture is refused.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image

from imgproc.pipeline.images.avif_boxes import INSIDE, boxes
from imgproc.pipeline.images.cost import CpuTime

TILE = 2048  # pixels a side at most; 130 MB while one is encoded
FASTEST = 10  # the encoder's speed where the usual one would take too long
ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"

Box = tuple[int, int, int, int]


class _Tile(NamedTuple):
    """What an AVIF of one picture holds: its coded data, and its boxes as they stand, by name."""

    data: bytes
    boxes: dict[bytes, bytes]


def encode_grid(picture: Image.Image, *, quality: int, time: CpuTime, **settings: Any) -> bytes:
    """An AVIF of `picture` in tiles, the transparency in tiles of its own.

    Raises:
        TimeoutError: even with little effort it takes too much time.
    """
    columns, width = _split(picture.width)
    rows, height = _split(picture.height)
    places = [(x * width, y * height, (x + 1) * width, (y + 1) * height) for y in range(rows) for x in range(columns)]
    # Where colours are at half the resolution both sides must be even.
    is_odd = picture.width % 2 or picture.height % 2
    settings["subsampling"] = "4:0:0" if picture.mode == "L" else "4:4:4" if is_odd else "4:2:0"
    pace = _Pace(time, len(places) * (2 if picture.mode == "RGBA" else 1), settings.pop("speed"))
    colours, alphas = [], []
    for place in places:
        part = _cut(picture, place)
        if part.mode == "RGBA":
            alphas.append(pace.encode(part.getchannel("A"), quality=quality, **settings | {"subsampling": "4:0:0"}))
            part = part.convert("RGB")
        colours.append(pace.encode(part, quality=quality, **settings))
    return _file(colours, alphas, size=picture.size, tile=(width, height), grid=(rows, columns))


def _split(length: int) -> tuple[int, int]:
    """How many tiles, and how long each is: even."""
    count = -(-length // TILE)
    return count, -(-length // count // 2) * 2


def _cut(picture: Image.Image, place: Box) -> Image.Image:
    """A tile; what lies beyond the picture repeats its last row and column, so that nothing bleeds into it."""
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
    """Encodes tiles as slowly as the time allows."""

    def __init__(self, time: CpuTime, count: int, speed: int) -> None:
        self._time, self._left, self._speed = time, count, speed

    def encode(self, part: Image.Image, **settings: Any) -> _Tile:
        """One tile. Raises TimeoutError where no time is left."""
        if self._time.left < 0:
            raise TimeoutError("no time left for the other tiles")
        before, stream = self._time.left, io.BytesIO()
        part.save(stream, "AVIF", speed=self._speed, **settings)
        self._left -= 1
        if (before - self._time.left) * self._left > self._time.left:
            self._speed = FASTEST
        return _read(stream.getvalue())


def _read(avif: bytes) -> _Tile:
    """The parts of a file that our own encoder wrote, of one picture."""
    found: dict[bytes, bytes] = {}

    def walk(start: int, end: int) -> None:
        for name, begin, stop in boxes(avif, start, end):
            found[name] = _box(name, avif[begin:stop])
            if name in INSIDE:
                walk(begin + INSIDE[name], stop)

    walk(0, len(avif))
    return _Tile(found[b"mdat"][8:], found)


def _box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def _full(name: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _file(
    colours: list[_Tile], alphas: list[_Tile], *, size: tuple[int, int], tile: tuple[int, int], grid: tuple[int, int]
) -> bytes:
    """Item 1 is the picture, then come its tiles; then, if there is transparency, that and its tiles."""
    rows, columns = grid
    derived = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    items = [derived, *(each.data for each in colours)]
    first, own = colours[0].boxes, [[1, 3, 4], *[[2, 0x80 | 5, 3, 4]] * len(colours)]
    properties = [_ispe(size), _ispe(tile), first[b"colr"], first[b"pixi"], first[b"av1C"]]
    references = [_reference(b"dimg", 1, range(2, 2 + len(colours)))]
    if alphas:
        main, other = len(items) + 1, alphas[0].boxes
        items += [derived, *(each.data for each in alphas)]
        properties += [_full(b"auxC", ALPHA), other[b"pixi"], other[b"av1C"]]
        own += [[1, 6, 7], *[[2, 0x80 | 8, 6, 7]] * len(alphas)]
        references += [
            _reference(b"auxl", main, [1]),
            _reference(b"dimg", main, range(main + 1, main + 1 + len(alphas))),
        ]
    mains = {1, len(colours) + 2}
    head = [first[b"hdlr"], _full(b"pitm", struct.pack(">H", 1))]
    tail = [_infos(len(items), mains), _full(b"iref", *references), _properties(properties, own)]
    before = len(first[b"ftyp"]) + len(_meta(head, tail, items, start=0)) + 8
    return b"".join([first[b"ftyp"], _meta(head, tail, items, start=before), _box(b"mdat", *items)])


def _meta(head: list[bytes], tail: list[bytes], items: list[bytes], *, start: int) -> bytes:
    return _full(
        b"meta", *head, _full(b"iloc", b"\x44\0", struct.pack(">H", len(items)), *_places(items, start)), *tail
    )


def _places(items: list[bytes], start: int) -> Iterator[bytes]:
    for number, data in enumerate(items, 1):
        yield struct.pack(">HHHII", number, 0, 1, start, len(data))
        start += len(data)


def _infos(count: int, mains: set[int]) -> bytes:
    """What each item is; tiles are hidden, so that none is taken for a picture of its own."""
    kinds = ((number, b"grid" if number in mains else b"av01") for number in range(1, count + 1))
    entries = (
        _full(b"infe", struct.pack(">HH4s", number, 0, kind), b"\0", version=2, flags=int(kind == b"av01"))
        for number, kind in kinds
    )
    return _full(b"iinf", struct.pack(">H", count), *entries)


def _reference(kind: bytes, source: int, targets: Any) -> bytes:
    return _box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))


def _properties(properties: list[bytes], own: list[list[int]]) -> bytes:
    """The properties, and by their numbers which each item has; 0x80 marks one that no decoder may pass over."""
    entries = (struct.pack(">HB", number, len(each)) + bytes(each) for number, each in enumerate(own, 1))
    return _box(b"iprp", _box(b"ipco", *properties), _full(b"ipma", struct.pack(">I", len(own)), *entries))


def _ispe(size: tuple[int, int]) -> bytes:
    return _full(b"ispe", struct.pack(">II", *size))
