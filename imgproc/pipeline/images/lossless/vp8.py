"""The partitions of a lossy WebP's frame (RFC 6386): how many there are, and how long the first is."""

from __future__ import annotations

from collections.abc import Iterator

TAG, HEADER = 3, 10  # bytes: the frame's tag (9.1), and all that stands before the first partition


def first_partition(frame: bytes) -> int:
    """The length of the first partition in bytes, as the tag says it."""
    return int.from_bytes(frame[:TAG], "little") >> 5


def with_less_of_first(frame: bytes, count: int) -> bytes:
    """The frame without the last `count` bytes of its first partition, and with a tag that says so."""
    end = HEADER + first_partition(frame)
    tag = int.from_bytes(frame[:TAG], "little") - (count << 5)
    return tag.to_bytes(TAG, "little") + frame[TAG : end - count] + frame[end:]


def count_partitions(frame: bytes) -> int:
    """How many partitions of tokens follow the first (9.2 to 9.5).

    Raises:
        IndexError: where the frame is too short to say.
    """
    bits = _bits(frame[HEADER:])

    def number(count: int) -> int:
        return sum(next(bits) << count - 1 - at for at in range(count))

    def optional(*sizes: int) -> None:
        for size in sizes:
            if number(1):
                number(size)

    number(2)  # the colours, and whether they need clamping
    if number(1):  # segments
        in_map, in_data = number(1), number(1)
        if in_data:
            number(1)
            optional(*[8] * 4, *[7] * 4)  # each with its sign
        if in_map:
            optional(*[8] * 3)
    number(10)  # the loop filter
    if number(1) and number(1):
        optional(*[7] * 8)
    return 1 << number(2)


def _bits(data: bytes) -> Iterator[int]:
    """Those of even chances from a boolean decoder (7.3)."""
    value, span, shifted, position = int.from_bytes(data[:2], "big"), 255, 0, 2
    while True:
        split = 1 + (span - 1 >> 1)
        bit = int(value >= split << 8)
        value, span = (value - (split << 8), span - split) if bit else (value, split)
        while span < 128:
            value, span, shifted = value << 1, span << 1, shifted + 1
            if shifted == 8:
                value, shifted, position = value | data[position], 0, position + 1
        yield bit
