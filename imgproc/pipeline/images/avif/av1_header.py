"""The colours in the sequence header of an AV1 picture (AV1 bitstream specification, 5.3 to 5.5)."""

from __future__ import annotations

from typing import NamedTuple

SEQUENCE_HEADER = 1  # a type of OBU
MAIN, HIGH, PROFESSIONAL = 0, 1, 2  # profiles


class HeaderColours(NamedTuple):
    """Code points of ITU-T H.273, where 2 is unspecified, and at which bit of the data `color_range` is."""

    primaries: int
    transfer: int
    range_bit: int


class _Bits:
    def __init__(self, data: bytes, *, at: int) -> None:
        self._value, self._end, self._left = int.from_bytes(data, "big"), 8 * len(data), 8 * len(data) - at

    @property
    def at(self) -> int:
        """The number of the next bit."""
        return self._end - self._left

    def read(self, count: int) -> int:
        """The next `count` bits.

        Raises:
            EOFError: there are fewer.
        """
        self._left -= count
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & ((1 << count) - 1)

    def skip_variable(self) -> None:
        """Skip a uvlc()."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        self.read(zeros)


def sequence_colours(data: bytes) -> HeaderColours | None:
    """The colours of the first sequence header in `data`, which may be cut; None where it has none."""
    at = 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        size, shift = (0 if sized else len(data)), 0
        while sized and at < len(data):
            size |= (data[at] & 127) << shift
            at, shift, sized = at + 1, shift + 7, data[at] >> 7
        if kind == SEQUENCE_HEADER:
            try:
                return _colours(_Bits(data[: at + size], at=8 * at))
            except EOFError:
                return None
        at += size
    return None


def _colours(bits: _Bits) -> HeaderColours | None:
    profile = bits.read(3)
    bits.read(1)  # still_picture
    is_reduced = bits.read(1)
    if is_reduced:
        bits.read(5)
    else:
        _skip_operating_points(bits)
    widths = (bits.read(4) + 1, bits.read(4) + 1)
    for width in widths:
        bits.read(width)
    if not is_reduced and bits.read(1):  # frame_id_numbers_present_flag
        bits.read(7)
    bits.read(3)
    if not is_reduced:
        _skip_tools(bits)
    bits.read(3)
    deep = bits.read(1)
    if profile == PROFESSIONAL and deep:
        bits.read(1)
    if profile != HIGH:
        bits.read(1)  # mono_chrome
    return HeaderColours(bits.read(8), bits.read(8), bits.at + 8) if bits.read(1) else None  # 8 of the matrix


def _skip_operating_points(bits: _Bits) -> None:
    has_model, delay = 0, 0
    if bits.read(1):  # timing_info_present_flag
        bits.read(64)
        if bits.read(1):
            bits.skip_variable()
        if has_model := bits.read(1):
            delay = bits.read(5) + 1
            bits.read(42)
    has_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if has_model and bits.read(1):
            bits.read(2 * delay + 1)
        if has_delay and bits.read(1):
            bits.read(4)


def _skip_tools(bits: _Bits) -> None:
    bits.read(4)
    has_order = bits.read(1)
    if has_order:
        bits.read(2)
    forces_screen = 2 if bits.read(1) else bits.read(1)
    if forces_screen and not bits.read(1):
        bits.read(1)
    if has_order:
        bits.read(3)
