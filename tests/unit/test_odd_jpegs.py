"""JPEGs that lack their end, or have segments that Pillow stumbles over, and kinds of JPEG that no browser shows."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import encode, photo
from tests.support.rendered import on_white, refused

PICTURE = photo("coffee").resize((96, 64))
KINDS: dict[str, bytes] = {
    "sequential": encode(PICTURE, "JPEG"),
    "progressive": encode(PICTURE, "JPEG", progressive=True),
    "grey": encode(PICTURE.convert("L"), "JPEG"),
    "grey, progressive": encode(PICTURE.convert("L"), "JPEG", progressive=True),
    "cmyk": encode(PICTURE.convert("CMYK"), "JPEG"),
    "restarts": encode(PICTURE, "JPEG", restart_marker_blocks=4),
    "nothing subsampled": encode(PICTURE, "JPEG", subsampling=0),
}


@pytest.mark.parametrize("end", [b"", b"\xff", b"\0" * 3, b"\0" * 5000], ids=["none", "half", "zeros", "many-zeros"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_may_lack_its_end_marker(kind: str, end: bytes) -> None:
    """All pixels are there, so the picture is the same."""
    whole = KINDS[kind]
    assert (on_white(whole[:-2] + end) == on_white(whole)).all()


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3])
def test_a_jpeg_without_its_end_is_made_at_every_scale(scale: float) -> None:
    """libjpeg decodes it at a reduced size, in Pillow and in simplejpeg."""
    options = CompressOptions(scale=scale)
    made = [compress(each, options=options, max_pixels=10**6) for each in (KINDS["grey"], KINDS["grey"][:-2])]
    assert made[0].body == made[1].body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [8, 30, 300])
def test_a_jpeg_that_lacks_more_is_truncated(kind: str, missing: int) -> None:
    """A decoder would make up the missing blocks."""
    error = refused(KINDS[kind][:-missing])
    assert error.code == "truncated_image"
    assert "ends too early" in error.detail


def test_a_truncated_jpeg_tells_how_much_is_there() -> None:
    """The share of rows is about that of the bytes."""
    whole = encode(Image.effect_noise((160, 160), 80), "JPEG")
    assert "about 50% of the picture is there" in refused(whole[: len(whole) // 2 + 500]).detail


def test_a_progressive_jpeg_needs_all_its_scans() -> None:
    """Without the last ones the picture is blurred, although no scan is cut."""
    whole = KINDS["progressive"]
    scans = [place for place in range(len(whole)) if whole.startswith(b"\xff\xda", place)]
    for scan in scans[1:]:
        tables = whole.rfind(b"\xff\xc4", 0, scan)
        cut = whole[: tables if tables > scans[scans.index(scan) - 1] else scan]
        assert refused(cut).code == "truncated_image"


def _with_segment(marker: int, body: bytes) -> bytes:
    whole = KINDS["sequential"]
    return whole[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + whole[2:]


BODIES = {
    "empty": b"", "one byte": b"A", "JFIF": b"JFIF", "JFIF cut": b"JFIF\0\1", "JFXX": b"JFXX\0\x10", "Adobe": b"Adobe",
    "Adobe cut": b"Adobe\0d", "Adobe without transform": b"Adobe\0d\0\0\0\0", "Photoshop": b"Photoshop 3.0\0",
    "Photoshop cut": b"Photoshop 3.0\x008BIM\x03\xed", "Photoshop odd": b"Photoshop 3.0\x008BIM\x03\xed\x09",
    "profile": b"ICC_PROFILE\0", "profile without count": b"ICC_PROFILE\0\1", "no profile": b"ICC_PROFILE\0\1\1",
    "profile missing a part": b"ICC_PROFILE\0\1\2abc", "Exif": b"Exif\0\0", "MPF": b"MPF\0", "FlashPix": b"FPXR\0",
    "XMP": b"http://ns.adobe.com/xap/1.0/\0", "XMP cut": b"http://ns.adobe.com/xap/1.0/",
}  # fmt: skip


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xEC, 0xED, 0xEE, 0xEF, 0xFE])
@pytest.mark.parametrize("body", BODIES)
def test_odd_segments_change_nothing(body: str, marker: int) -> None:
    """Browsers skip what they do not understand."""
    assert (on_white(_with_segment(marker, BODIES[body])) == on_white(KINDS["sequential"])).all()


def test_odd_segments_do_not_lose_the_others() -> None:
    """The orientation beside a broken segment still turns the picture."""
    turned = encode(PICTURE, "JPEG", exif=_turned())
    odd = turned[:2] + b"\xff\xee\0\x07Adobe" + turned[2:]
    assert on_white(odd).shape == (96, 64, 3)
    assert (on_white(odd) == on_white(turned)).all()


def _turned() -> Any:
    tags = Image.Exif()
    tags[0x112] = 6
    return tags


@pytest.mark.parametrize(
    ("marker", "bits", "says"),
    [
        pytest.param(0xC3, 8, "lossless JPEG", id="lossless"),
        pytest.param(0xCB, 8, "lossless JPEG", id="lossless-arithmetic"),
        pytest.param(0xC5, 8, "hierarchical JPEG", id="hierarchical"),
        pytest.param(0xF7, 8, "JPEG-LS", id="jpeg-ls"),
        pytest.param(0xC1, 12, "12 bits", id="12-bit"),
        pytest.param(0xC2, 12, "12 bits", id="12-bit-progressive"),
        pytest.param(0xC0, 16, "16 bits", id="16-bit"),
    ],
)
def test_names_kinds_that_no_browser_shows(marker: int, bits: int, says: str) -> None:
    """The remedy is a click."""
    source = bytearray(KINDS["sequential"])
    frame = source.index(b"\xff\xc0")
    source[frame + 1], source[frame + 4] = marker, bits
    error = refused(bytes(source))
    assert error.code == "unsupported_format"
    assert says in error.detail
    assert "export it as an ordinary JPEG" in error.detail


def test_a_damaged_middle_is_shown_as_browsers_do() -> None:
    """libjpeg goes on after damaged blocks, and so does Chromium."""
    source = bytearray(KINDS["sequential"])
    source[len(source) // 2] ^= 0xFF
    assert np.abs(on_white(bytes(source)).mean() - on_white(KINDS["sequential"]).mean()) < 60
