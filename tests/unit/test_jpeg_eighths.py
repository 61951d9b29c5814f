"""JPEGs decoded at 3, 5 or 6 eighths, which we do up to quality 80, compared with full decoding at quality 81."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.compress import CompressOptions, Rendition, compress
from imgproc.pipeline.images.guards.limits import decoding_bytes
from imgproc.pipeline.images.jpeg import jpeg_reader
from imgproc.pipeline.images.readers import open_image
from tests.support.photographs import DISPLAY_P3, decode, encode, exif, icc_profile, photo, psnr

BY_EIGHTHS, IN_FULL = 80, 81
SCALES = [0.15, 0.3, 0.375, 0.6, 0.625, 0.7, 0.75]


def run(source: bytes, *, scale: float, quality: int = BY_EIGHTHS, target: str = "jpeg") -> Rendition:
    """Compress; quality 80 decodes by eighths, 81 in full."""
    return compress(source, options=CompressOptions(quality, scale, target), max_pixels=50_000_000)


def outcome(source: bytes, quality: int) -> tuple[int, int] | str:
    """The size of the rendition, or the code of the error."""
    try:
        return decode(run(source, scale=0.75, quality=quality).body).size
    except CompressError as error:
        return error.code


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sides", [(0, 0), (-3, -5)], ids=["whole blocks", "odd"])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_looks_as_good_as_lanczos_of_a_full_decode(name: str, sides: tuple[int, int], scale: float) -> None:
    """At quality 80, the highest that uses eighths, they lose little compared with the encoder."""
    picture = photo(name)
    width, height = (side // 8 * 8 + less for side, less in zip(picture.size, sides, strict=True))
    source = encode(picture.crop((0, 0, width, height)), "JPEG", quality=95)
    image = decode(run(source, scale=scale).body)
    lossless = decode(source).resize(image.size, Image.Resampling.LANCZOS)
    by_lanczos = decode(encode(lossless, "JPEG", quality=80))
    assert psnr(image, lossless) > psnr(by_lanczos, lossless) - 1


VARIETIES: dict[str, dict[str, Any]] = {
    "progressive": {"progressive": True},
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "RGB inside": {"keep_rgb": True},
    "restarts": {"restart_marker_rows": 1},
    "wide gamut": {"icc_profile": icc_profile(DISPLAY_P3)},
    **{f"orientation {turn}": {"exif": exif(turn)} for turn in range(1, 9)},
}


@pytest.mark.parametrize("variety", VARIETIES)
@pytest.mark.parametrize("target", ["jpeg", "webp"])
def test_gives_the_same_picture_as_a_full_decode(target: str, variety: str) -> None:
    """Its colours, orientation and size are the same, and it has no metadata."""
    source = encode(photo("coffee"), "JPEG", quality=95, **VARIETIES[variety])
    eighths, full = (
        decode(run(source, scale=0.75, quality=quality, target=target).body) for quality in (BY_EIGHTHS, IN_FULL)
    )
    assert psnr(eighths, full) > 33
    assert not eighths.info.keys() & {"exif", "icc_profile"}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (7, 3), (17, 16), (333, 200)])
def test_gives_the_same_size_as_a_full_decode(size: tuple[int, int], scale: float) -> None:
    """The rounding of the decoder makes no difference."""
    source = encode(Image.new("RGB", size, "teal"), "JPEG")
    one, other = (run(source, scale=scale, quality=quality).output for quality in (BY_EIGHTHS, IN_FULL))
    assert (one.width, one.height) == (other.width, other.height)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_leaves_other_colours_to_pillow(mode: str) -> None:
    """Grey and CMYK JPEGs are not decoded by eighths."""
    source = encode(photo("coffee").convert(mode), "JPEG", quality=95)
    eighths, full = (decode(run(source, scale=0.75, quality=quality).body) for quality in (BY_EIGHTHS, IN_FULL))
    assert eighths.mode == full.mode
    assert psnr(eighths, full) > 40


WHOLE = encode(photo("coffee").resize((320, 200)), "JPEG")


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        pytest.param(WHOLE[: len(WHOLE) // 2], "truncated_image", id="half"),
        pytest.param(WHOLE[:20] + bytes(9) + WHOLE[20:], (240, 150), id="bytes between segments"),
        pytest.param(WHOLE[:4000] + bytes(2) + WHOLE[4002:], (240, 150), id="other bytes in the scan"),
        pytest.param(WHOLE[:4000] + b"\xff\xd8" + WHOLE[4002:], "corrupt_image", id="another start in the scan"),
        pytest.param(WHOLE + WHOLE, (240, 150), id="another JPEG behind it"),
    ],
)
def test_treats_damaged_files_as_a_full_decode_does(damaged: bytes, expected: object) -> None:
    """The decoder by eighths refuses damaged files, and then Pillow decodes them."""
    assert [outcome(damaged, quality) for quality in (BY_EIGHTHS, IN_FULL)] == [expected] * 2


@pytest.mark.parametrize("scale", [0.375, 0.6, 0.7, 0.75])
def test_avoids_the_full_decode_up_to_quality_80(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Higher qualities and lossless targets are decoded in full."""

    def load(image: JpegImageFile) -> None:
        raise AssertionError("decoded in full")

    monkeypatch.setattr(JpegImageFile, "load", load)
    assert run(WHOLE, scale=scale).output.width == round(320 * scale)
    for quality, target in ((IN_FULL, "jpeg"), (BY_EIGHTHS, "png")):
        with pytest.raises(CompressError):
            run(WHOLE, scale=scale, quality=quality, target=target)


def test_a_large_progressive_jpeg_decodes_to_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is decoded without Pillow, in less memory."""
    source = encode(photo("coffee"), "JPEG", quality=95, progressive=True, subsampling=0)
    usual = run(source, scale=1, target="png")
    monkeypatch.setattr(jpeg_reader, "LARGE", 0)
    monkeypatch.setattr(JpegImageFile, "load_prepare", None)
    assert run(source, scale=1, target="png").body == usual.body


@pytest.mark.parametrize(
    ("subsampling", "progressive", "scale", "bytes_a_pixel"),
    [(0, True, 1, 10), (0, True, 0.5, 7), (2, True, 1, 7), (0, False, 1, 7)],
    ids=["progressive, in full", "at half the size", "subsampled", "of one scan"],
)
def test_counts_the_picture_beside_its_coefficients(
    subsampling: int, scale: float, bytes_a_pixel: int, *, progressive: bool
) -> None:
    """Nothing subsampled: six bytes of coefficients a pixel, and four of the picture."""
    source = encode(photo("coffee"), "JPEG", progressive=progressive, subsampling=subsampling)
    image = open_image(io.BytesIO(source), "jpeg")
    assert decoding_bytes(image, source, factor=scale) == bytes_a_pixel * image.width * image.height
