"""TGAs of 15 and 16 bits, and of palettes, whose bits of transparency programs set in different ways."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.rendered import on_white

HEIGHT, WIDTH = 12, 18
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
COLOURS = np.dstack([COLUMNS * 14, ROWS * 22, 255 - COLUMNS * 14]).astype(np.uint8)
COLOURFUL, PALETTE = 2, 1  # kinds of pixels
FIVE_BITS = np.rint((COLOURS >> 3) * (255 / 31.0))
RIGHT = COLUMNS >= WIDTH // 2
NUMBERS = (ROWS + COLUMNS) % 16
SHADES = np.dstack([np.arange(16) * 16, 255 - np.arange(16) * 16, np.arange(16) * 8]).astype(np.uint8)


def _tga(kind: int, bits: int, pixels: bytes, *, alpha_bits: int = 0, palette: bytes = b"", depth: int = 0) -> bytes:
    """A TGA whose rows come from the bottom."""
    head = struct.pack("<BBBHHB", 0, bool(palette), kind, 0, 16 if palette else 0, depth)
    return head + struct.pack("<HHHHBB", 0, 0, WIDTH, HEIGHT, bits, alpha_bits) + palette + pixels


def _words(colours: npt.NDArray[np.uint8], highest: npt.NDArray[np.bool_] | bool) -> bytes:
    """Five bits of each colour, and the highest bit."""
    red, green, blue = np.moveaxis(colours.astype("<u2") >> 3, 2, 0)
    words: npt.NDArray[np.uint16] = red << 10 | green << 5 | blue | np.where(highest, 0x8000, 0).astype("<u2")
    return words[::-1].astype("<u2").tobytes()


@pytest.mark.parametrize("alpha_bits", [0, 1])
@pytest.mark.parametrize("is_set", [False, True], ids=["clear", "set"])
def test_one_bit_of_transparency_that_never_differs_hides_nothing(is_set: bool, alpha_bits: int) -> None:
    """A picture of which nothing can be seen is meant to be opaque."""
    source = _tga(COLOURFUL, 16, _words(COLOURS, is_set), alpha_bits=alpha_bits)
    assert np.abs(on_white(source) - FIVE_BITS).max() <= 1


def test_a_bit_that_is_set_is_opaque() -> None:
    """As GIMP, ImageMagick and GraphicsMagick write it, if the header counts it as transparency."""
    shown = on_white(_tga(COLOURFUL, 16, _words(COLOURS, RIGHT), alpha_bits=1))
    assert np.abs(shown - np.where(RIGHT[..., None], FIVE_BITS, 255)).max() <= 1


def test_eight_bits_of_transparency_that_are_all_zero_hide_nothing() -> None:
    """Programs fill the fourth byte with zeros, and some count it as transparency."""
    pixels = np.dstack([COLOURS[..., ::-1], COLUMNS * 0]).astype(np.uint8)[::-1].tobytes()
    assert (on_white(_tga(COLOURFUL, 32, pixels, alpha_bits=8)) == COLOURS).all()


@pytest.mark.parametrize("depth", [15, 16])
@pytest.mark.parametrize("is_set", [False, True], ids=["clear", "set"])
def test_palettes_of_fifteen_and_sixteen_bits_are_opaque(depth: int, is_set: bool) -> None:
    """Their highest bit says nothing."""
    palette = _words(SHADES, is_set)
    source = _tga(PALETTE, 8, NUMBERS[::-1].astype(np.uint8).tobytes(), palette=palette, depth=depth)
    assert np.abs(on_white(source) - np.rint((SHADES[0][NUMBERS] >> 3) * (255 / 31.0))).max() <= 1


def test_a_palette_that_no_pixel_uses_is_skipped() -> None:
    """TGA 2.0 allows one beside colours."""
    source = _tga(COLOURFUL, 24, COLOURS[::-1, :, ::-1].tobytes(), palette=bytes(48), depth=24)
    assert (on_white(source) == COLOURS).all()


def test_pixels_of_fifteen_bits_are_read() -> None:
    """They take two bytes each."""
    assert np.abs(on_white(_tga(COLOURFUL, 15, _words(COLOURS, RIGHT))) - FIVE_BITS).max() <= 1
