"""Which page of a TIFF is its picture (TIFF 6.0, section 2; BigTIFF; TIFF Technical Note 1 for SubIFDs).

Some files begin with a thumbnail, and raw camera files are TIFFs whose first page is a preview.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.other_kinds import RAW_REMEDY

MAX_PAGES = 64  # that are looked at
MAX_ENTRIES = 1000  # of a page that are looked at; files have some 20 to 60
MAX_VALUES = 16  # of a tag that are looked at

NEW_SUBFILE, OLD_SUBFILE, COMPRESSION, PHOTOMETRIC, MAKE, SUB_PAGES, CFA_PATTERN, DNG = (
    254, 255, 259, 262, 271, 330, 33422, 50706,
)  # fmt: skip
WANTED = {NEW_SUBFILE, OLD_SUBFILE, COMPRESSION, PHOTOMETRIC, MAKE, SUB_PAGES, CFA_PATTERN, DNG}
TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}
REDUCED, MASK, OLD_REDUCED = 1, 4, 2
SENSOR_PHOTOMETRICS = {32803, 34892}  # a colour filter array, and its linear values (DNG 1.7)
SENSOR_COMPRESSIONS = {32767, 32769, 34713, 65000, 65535}  # of Sony, Epson, Nikon, Kodak and Pentax
MAKERS = {b"NIKON": "NEF", b"SONY": "ARW", b"PENTAX": "PEF", b"SAMSUNG": "SRW", b"EASTMAN": "DCR", b"Hasselblad": "3FR"}


class _Page(NamedTuple):
    """Where the table of a page starts, the tags we look at, and where the next page's starts."""

    offset: int
    tags: dict[int, tuple[int, ...]]
    following: int


class _Header(NamedTuple):
    order: str  # of bytes, for struct
    is_big: bool

    @property
    def first_at(self) -> int:
        return 8 if self.is_big else 4


def picture_page(source: bytes) -> bytes | None:
    """`source` with a header that begins with the page to show; None where it does already.

    That is the first page that is not marked as a thumbnail or a mask. Pillow and libtiff then need no page number.

    Raises:
        CompressError: `unsupported_format`, for a raw camera file.
    """
    header = _Header("<" if source[:1] == b"I" else ">", source[2:4] in {b"+\0", b"\0+"})
    pages = _pages(source, header)
    first = next(pages, None)
    if first is None:
        return None
    inner = [page for offset in first.tags.get(SUB_PAGES, ()) if (page := _page(source, header, offset))]
    _refuse_raw(source, [first, *inner])
    if not _is_aside(first):
        return None
    shown = next((page for page in [*pages, *inner] if not _is_aside(page)), first)
    place = struct.pack(header.order + ("Q" if header.is_big else "I"), shown.offset)
    return source[: header.first_at] + place + source[header.first_at + len(place) :]


def _is_aside(page: _Page) -> bool:
    new, old = page.tags.get(NEW_SUBFILE, (0,))[0], page.tags.get(OLD_SUBFILE, (0,))[0]
    return bool(new & (REDUCED | MASK)) or old == OLD_REDUCED


def _refuse_raw(source: bytes, pages: list[_Page]) -> None:
    tags = pages[0].tags
    is_sensor = any(_is_sensor(page.tags) for page in pages)
    kind = "CR2" if source[8:10] == b"CR" else "DNG" if DNG in tags else None
    if kind is None and is_sensor:
        maker = bytes(tags.get(MAKE, ()))
        kind = next((name for start, name in MAKERS.items() if maker.startswith(start)), "TIFF")
    if kind:
        raise CompressError(f"This is a raw camera file ({kind}); {RAW_REMEDY}.", code="unsupported_format")


def _is_sensor(tags: dict[int, tuple[int, ...]]) -> bool:
    photometric, compression = tags.get(PHOTOMETRIC, (1,))[0], tags.get(COMPRESSION, (1,))[0]
    return photometric in SENSOR_PHOTOMETRICS or compression in SENSOR_COMPRESSIONS or CFA_PATTERN in tags


def _pages(source: bytes, header: _Header) -> Iterator[_Page]:
    """The pages in turn; a cycle ends at the limit."""
    link = struct.Struct(header.order + ("Q" if header.is_big else "I"))
    (offset,) = link.unpack(source[header.first_at :][: link.size].ljust(link.size, b"\0"))
    for _ in range(MAX_PAGES):
        page = _page(source, header, offset)
        if page is None:
            return
        yield page
        offset = page.following


def _page(source: bytes, header: _Header, offset: int) -> _Page | None:
    """The page whose table starts at `offset`; None where there is none."""
    order, is_big = header
    count_form, entry_form, link_form = ("Q", "HHQ8s", "Q") if is_big else ("H", "HHI4s", "I")
    try:
        (count,) = struct.unpack_from(order + count_form, source, offset)
        place = offset + struct.calcsize(order + count_form)
        tags: dict[int, tuple[int, ...]] = {}
        for _ in range(min(count, MAX_ENTRIES)):
            tag, kind, length, value = struct.unpack_from(order + entry_form, source, place)
            if tag in WANTED and kind in TYPES:
                tags.setdefault(tag, _values(source, header, TYPES[kind], min(length, MAX_VALUES), value))
            place += struct.calcsize(order + entry_form)
        following = 0 if count > MAX_ENTRIES else struct.unpack_from(order + link_form, source, place)[0]
    except (struct.error, OverflowError):
        return None
    return _Page(offset, {tag: values for tag, values in tags.items() if values}, following) if offset else None


def _values(source: bytes, header: _Header, form: str, length: int, value: bytes) -> tuple[int, ...]:
    """The values of a tag: in its entry where they fit, else where the entry says."""
    whole = f"{header.order}{length}{form}"
    if struct.calcsize(whole) <= len(value):
        return struct.unpack_from(whole, value)
    (place,) = struct.unpack(header.order + ("Q" if header.is_big else "I"), value)
    return struct.unpack_from(whole, source, place)
