"""The first frame of an animated WebP. The expected pictures are Chromium's."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from tests.support import profiles
from tests.support.photographs import encode
from tests.support.rendered import on_white

BROWN, WHITE = (200, 100, 50), (255, 255, 255)
ANIMATION, ALPHA, PROFILE = 2, 16, 32
SIDE = 16


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of RIFF."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def sides(width: int, height: int) -> bytes:
    """Each less one, in 24 bits."""
    return b"".join((side - 1).to_bytes(3, "little") for side in (width, height))


def frame(side: int, *, left: int = 0, alpha: int = 255, flags: int = 0) -> bytes:
    """A brown square."""
    picture = Image.new("RGBA", (side, side), (*BROWN, alpha))
    place = (left // 2).to_bytes(3, "little") * 2
    return chunk(
        b"ANMF", place + sides(side, side) + bytes([1, 0, 0, flags]) + encode(picture, "WEBP", lossless=True)[12:]
    )


def webp(*frames: bytes, flags: int = 0, profile: bytes = b"", background: bytes = b"\xff\0\0\xff") -> bytes:
    """An animation on a canvas of 16 x 16."""
    used = ANIMATION | flags | (PROFILE if profile else 0)
    parts = [chunk(b"VP8X", bytes([used, 0, 0, 0]) + sides(SIDE, SIDE)), chunk(b"ICCP", profile) if profile else b""]
    body = b"WEBP" + b"".join([*parts, chunk(b"ANIM", background + b"\0\0"), *frames])
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("flags", [0, ALPHA], ids=["opaque", "transparent"])
@pytest.mark.parametrize("how", range(4))
@pytest.mark.parametrize("background", [b"\xff\0\0\xff", bytes(4), b"\xff" * 4])
def test_what_the_first_frame_leaves_is_white(background: bytes, how: int, flags: int) -> None:
    """Neither black nor the colour of the background, however the frame is drawn and left."""
    shown = on_white(webp(frame(8, left=4, flags=how), frame(16), flags=flags, background=background))
    expected = np.full((SIDE, SIDE, 3), WHITE)
    expected[4:12, 4:12] = BROWN
    assert (shown == expected).all()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("profile", [b"", profiles.RGB_18])
def test_a_profile_does_not_count(profile: bytes, count: int) -> None:
    """Browsers ignore it in animations alone."""
    assert (on_white(webp(*[frame(16)] * count, profile=profile)) == BROWN).all()
    still = encode(Image.new("RGB", (8, 8), BROWN), "WEBP", lossless=True, icc_profile=profile)
    assert (on_white(still) == BROWN).all() == (not profile)


@pytest.mark.parametrize("mode", ["lossless", "lossy"])
def test_a_transparent_frame_needs_no_flag(mode: str) -> None:
    """Its clear parts would be black."""
    clear = Image.new("RGBA", (16, 16), (*BROWN, 0))
    clear.paste((*BROWN, 255), (0, 0, 16, 8))
    pixels = encode(clear, "WEBP", lossless=mode == "lossless", exact=True)
    chunks = pixels[12:] if mode == "lossless" else pixels[30:]  # after VP8X
    shown = on_white(webp(chunk(b"ANMF", bytes(6) + sides(16, 16) + bytes(4) + chunks)))
    assert (shown[8:] == WHITE).all()
    assert np.abs(shown[:7] - BROWN).max() <= 8
