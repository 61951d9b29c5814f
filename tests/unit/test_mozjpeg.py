"""JPEG encoding by the C functions of libvips: the same bytes in every thread, and an error for oversized pictures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.encoders.mozjpeg import encode_mozjpeg
from tests.support.photographs import decode, photo

# Runs in its own process, because an earlier test may have loaded the library.
FIRST_USE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from PIL import Image
from imgproc.pipeline.images import compress
from imgproc.pipeline.images.encoders import mozjpeg
assert "_libvips" not in sys.modules, "loaded before its first use"
picture = Image.effect_mandelbrot((400, 300), (-2, -1, 1, 1), 60).convert("RGB")
with ThreadPoolExecutor(8) as pool:
    bodies = set(pool.map(lambda _: mozjpeg.encode_mozjpeg(picture, 57), range(16)))
assert len(bodies) == 1, "threads differ"
"""


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_writes_a_progressive_jpeg_without_metadata(mode: str) -> None:
    """The file has the requested size and channels, and no metadata."""
    picture = photo("coffee").convert(mode)
    made = decode(encode_mozjpeg(picture, 57))
    assert (made.format, made.mode, made.size) == ("JPEG", mode, picture.size)
    assert made.info["progressive"]
    assert not {"exif", "icc_profile", "comment", "xmp"} & made.info.keys()


def test_a_higher_quality_makes_a_larger_file() -> None:
    """The optional arguments of the C call reach the encoder."""
    sizes = [len(encode_mozjpeg(photo("coffee"), quality)) for quality in (10, 57, 89)]
    assert sizes == sorted(set(sizes))


def test_refuses_a_picture_too_large_for_jpeg() -> None:
    """JPEG allows at most 65,500 pixels a side; the next picture is encoded normally."""
    before = encode_mozjpeg(photo("coffee"), 57)
    with pytest.raises(CompressError) as caught:
        encode_mozjpeg(photo("coffee").resize((66_000, 1)), 57)
    assert caught.value.code == "encode_failed"
    assert encode_mozjpeg(photo("coffee"), 57) == before


def test_the_first_picture_loads_the_library_in_any_thread() -> None:
    """Workers without smart pictures save its memory; threads that come at the same time wait until it has started."""
    subprocess.run([sys.executable, "-c", FIRST_USE], check=True, timeout=120)
