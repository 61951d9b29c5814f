"""The JPEG of `quality=smart`: other quantization tables, and its coefficients encoded again by mozjpeg."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from imgproc.pipeline.images.encoders.plain_jpeg import save_jpeg
from imgproc.pipeline.images.encoders.strong_jpeg import encode_strong, repacked
from tests.support.photographs import decode, photo

# Runs in its own process, because an earlier test may have loaded the library.
FIRST_USE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from PIL import Image
from imgproc.pipeline.images import compress
from imgproc.pipeline.images.encoders.strong_jpeg import encode_strong, repacked
assert "mozjpeg_lossless_optimization" not in sys.modules, "loaded before its first use"
picture = Image.effect_mandelbrot((400, 300), (-2, -1, 1, 1), 60).convert("RGB")
with ThreadPoolExecutor(8) as pool:
    bodies = set(pool.map(lambda _: repacked(encode_strong(picture)), range(16)))
assert len(bodies) == 1, "threads differ"
"""


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_writes_a_progressive_jpeg_without_metadata(mode: str) -> None:
    """The file has the requested size and channels, and no metadata."""
    picture = photo("coffee").convert(mode)
    made = decode(repacked(encode_strong(picture)))
    assert (made.format, made.mode, made.size) == ("JPEG", mode, picture.size)
    assert made.info["progressive"]
    assert not {"exif", "icc_profile", "comment", "xmp"} & made.info.keys()


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_packing_loses_nothing(name: str) -> None:
    """The pixels are the same, in fewer bytes, or the file stays as it is."""
    plain = encode_strong(photo(name))
    packed = repacked(plain)
    assert len(packed) <= len(plain) < len(save_jpeg(photo(name), quality=50))
    assert decode(packed).tobytes() == decode(plain).tobytes()


def test_refuses_a_picture_too_large_for_jpeg() -> None:
    """JPEG allows at most 65,500 pixels a side; the next picture is encoded normally."""
    before = encode_strong(photo("coffee"))
    with pytest.raises(OSError, match="65,500"):
        encode_strong(Image.new("RGB", (66_000, 1)))
    assert encode_strong(photo("coffee")) == before


def test_the_first_picture_loads_the_library_in_any_thread() -> None:
    """Workers without smart pictures save its memory."""
    subprocess.run([sys.executable, "-c", FIRST_USE], check=True, timeout=120)
