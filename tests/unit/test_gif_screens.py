"""A GIF's first frame is shown on its screen as Chromium shows it."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import decode
from tests.support.rendered import on_white

PALETTE = bytes(value for number in range(16) for value in (250 - number * 15, number * 10, 60))
LOCAL = bytes(value for number in range(16) for value in (number * 10, 250 - number * 15, 90))
GREYS = bytes(value for number in range(16) for value in (number, number, number))


def _lzw(count: int, number: int) -> bytes:
    """`count` pixels of one palette number, never compressed: a clear code before the width would grow."""
    codes = [16]
    for pixel in range(count):
        codes += [number] + ([16] if pixel % 12 == 11 else [])
    bits = "".join(f"{code:05b}"[::-1] for code in [*codes, 17])
    packed = bytes(int(bits[place : place + 8].ljust(8, "0")[::-1], 2) for place in range(0, len(bits), 8))
    blocks = (packed[place : place + 255] for place in range(0, len(packed), 255))
    return b"\4" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _frame(
    place: tuple[int, int, int, int], *, number: int = 5, clear: int | None = None, palette: bytes = b""
) -> bytes:
    control = b"" if clear is None else b"!\xf9\4" + bytes([1, 0, 0, clear, 0])
    flags = 0x83 if palette else 0
    return control + b"," + struct.pack("<HHHHB", *place, flags) + palette + _lzw(place[2] * place[3], number)


def _gif(screen: tuple[int, int], *frames: bytes, palette: bytes = PALETTE, background: int = 0) -> bytes:
    flags = 0x83 if palette else 0
    return b"GIF89a" + struct.pack("<HHBBB", *screen, flags, background, 0) + palette + b"".join(frames) + b";"


def _shown(screen: tuple[int, int], place: tuple[int, int, int, int], colour: tuple[int, ...]) -> np.ndarray:
    picture = np.full((screen[1], screen[0], 3), 255)
    left, top, width, height = place
    picture[top : top + height, left : left + width] = colour
    return picture


PLACE = (4, 3, 8, 6)


@pytest.mark.parametrize("background", [0, 3])
@pytest.mark.parametrize("palette", [b"", LOCAL], ids=["global", "local"])
@pytest.mark.parametrize("clear", [None, 0, 3])
def test_what_a_frame_leaves_is_white(clear: int | None, palette: bytes, background: int) -> None:
    """No browser fills it with the background colour, or another colour of the palette."""
    source = _gif((16, 12), _frame(PLACE, clear=clear, palette=palette), background=background)
    colours = palette or PALETTE
    assert (on_white(source) == _shown((16, 12), PLACE, tuple(colours[15:18]))).all()


@pytest.mark.parametrize(
    ("screen", "place", "size"),
    [
        pytest.param((16, 12), (0, 0, 16, 12), (16, 12), id="whole"),
        pytest.param((8, 6), (0, 0, 16, 12), (16, 12), id="larger"),
        pytest.param((8, 6), (4, 3, 16, 12), (20, 15), id="over-the-edge"),
        pytest.param((8, 6), (20, 20, 16, 12), (36, 32), id="outside"),
        pytest.param((0, 0), (0, 0, 16, 12), (16, 12), id="no-screen"),
        pytest.param((0, 0), (2, 3, 16, 12), (18, 15), id="no-screen-moved"),
    ],
)
def test_a_frame_widens_its_screen(screen: tuple[int, int], place: tuple[int, ...], size: tuple[int, int]) -> None:
    """The first frame is shown whole."""
    frame = (place[0], place[1], place[2], place[3])
    assert (on_white(_gif(screen, _frame(frame))) == _shown(size, frame, tuple(PALETTE[15:18]))).all()


@pytest.mark.parametrize(("clear", "colour"), [(5, 255), (4, 0)], ids=["its-number", "another"])
@pytest.mark.parametrize("place", [PLACE, (0, 0, 16, 12)], ids=["small", "whole"])
def test_without_any_palette_a_number_may_be_transparent(
    place: tuple[int, int, int, int], clear: int, colour: int
) -> None:
    """All other numbers are black."""
    source = _gif((16, 12), _frame(place, clear=clear), palette=b"")
    assert (on_white(source) == _shown((16, 12), place, (colour, colour, colour))).all()


def test_without_any_palette_all_is_black() -> None:
    """Browsers show it so; palettes of greys are shown as they are."""
    assert (on_white(_gif((16, 12), _frame(PLACE), palette=b"")) == _shown((16, 12), PLACE, (0, 0, 0))).all()
    assert (on_white(_gif((16, 12), _frame(PLACE), palette=GREYS)) == _shown((16, 12), PLACE, (5, 5, 5))).all()


def test_what_a_frame_leaves_stays_transparent_in_formats_that_have_it() -> None:
    """It is white only where the format has no transparency."""
    source = _gif((16, 12), _frame(PLACE), _frame((0, 0, 16, 12)))
    made = compress(source, options=CompressOptions(scale=1, format="webp"), max_pixels=10**6)
    alpha = decode(made.body).convert("RGBA").getchannel("A")
    assert (alpha.getpixel((0, 0)), alpha.getpixel((8, 6))) == (0, 255)


TEXT = b"!\x01\x0c" + bytes(12) + b"\1a\0"


@pytest.mark.parametrize("between", [b"", b"!\xfe\1a\0", TEXT], ids=["next", "after a comment", "after a text"])
@pytest.mark.parametrize(("last", "is_clear"), [(b"\0\0\0\5\0", False), (b"\1\0\0\5\0", True)])
def test_the_last_control_before_a_frame_counts(last: bytes, is_clear: bool, between: bytes) -> None:
    """An earlier one may name a transparent number."""
    source = _gif((4, 4), b"!\xf9\4\1\0\0\5\0" + between + b"!\xf9\4" + last + _frame((0, 0, 4, 4)))
    assert (on_white(source) == (255 if is_clear else tuple(PALETTE[15:18]))).all()
