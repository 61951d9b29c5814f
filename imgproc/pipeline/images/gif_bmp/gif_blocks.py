"""The blocks of a GIF (GIF89a, 15 to 26): where they end."""

from __future__ import annotations

MAX_BLOCKS = 200_000  # of a GIF's first frame; encoders write 255 bytes in each, so 50 MiB have as many


def table_size(flags: int) -> int:
    """The bytes of the palette that follows a screen or a frame with these flags."""
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def after_blocks(source: bytes, position: int) -> int:
    """Where the blocks that start at `position` end, an empty one included."""
    for _ in range(MAX_BLOCKS):
        if position >= len(source) or source[position] == 0:
            break
        position += 1 + source[position]
    return position + 1
