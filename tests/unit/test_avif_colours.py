"""The colours of AVIFs: nclx, ICC profile and sequence header, and files with two tables of properties.

The expected values are Chromium's.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.avif.avif_boxes import boxes
from imgproc.pipeline.images.avif.avif_mend import join_associations
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support import profiles
from tests.support.photographs import decode, encode

BROWN, GREY = (200, 100, 50), (128, 128, 128)
UNCHANGED, AS_P3 = (*BROWN, 128), (215, 93, 31, 128)
AS_18 = (211, 119, 65, 146)


def avif(mode: str = "RGB", *, codes: tuple[int, int] | None = None, **options: Any) -> bytes:
    """Brown at the left and grey at the right, with these primaries and transfer in its nclx."""
    picture = Image.new("RGB", (64, 32), BROWN)
    picture.paste(GREY, (32, 0, 64, 32))
    exact = {"quality": 100, "subsampling": "4:0:0" if mode in {"L", "LA"} else "4:4:4"}
    picture = picture.convert(mode)
    if mode.endswith("A"):
        picture.putalpha(200)
    source = encode(picture, "AVIF", **exact | options)
    place = source.find(b"colrnclx") + 8
    return source[:place] + struct.pack(">HH", *codes) + source[place + 4 :] if codes else source


def shown(source: bytes) -> np.ndarray[Any, Any]:
    """The pixels of the rendition at full size, as RGBA."""
    body = compress(source, options=CompressOptions(scale=1.0, format="png"), max_pixels=1_000_000).body
    return np.asarray(decode(body).convert("RGBA")).astype(int)


def colours(source: bytes) -> list[int]:
    """Red, green and blue of the brown half, and green of the grey half."""
    pixels = shown(source)
    return [*pixels[16, 16, :3], pixels[16, 48, 1]]


PIXEL = (1, 1, 1, 1, -2099, 2, -2099, 2)  # the first pixel of 2100 x 2100

CODES = {
    "sRGB": ((1, 13), UNCHANGED),
    "unspecified": ((2, 2), UNCHANGED),
    "Display P3": ((12, 13), AS_P3),
    "Display P3 of no curve": ((12, 2), AS_P3),
    "Display P3 of an unknown curve": ((12, 99), AS_P3),
    "BT.2020": ((9, 14), (240, 76, 29, 128)),
    "BT.709, whose curve is that of a camera": ((1, 1), UNCHANGED),
    "gamma 2.2": ((1, 4), (201, 100, 46, 129)),
    "gamma 2.8": ((1, 5), (189, 76, 26, 106)),
    "SMPTE 240": ((1, 7), (206, 115, 68, 141)),
    "linear": ((2, 8), (229, 168, 122, 188)),
    "SMPTE 428": ((1, 17), (200, 87, 34, 118)),
    "BT.470 M": ((4, 13), (233, 93, 30, 128)),
    "SMPTE 170": ((6, 13), (196, 102, 49, 128)),
    "XYZ": ((10, 13), (255, 0, 61, 128)),
    "unknown primaries": ((3, 13), UNCHANGED),
    "HDR10": ((9, 16), (255, 0, 0, 132)),
    "PQ with the primaries of sRGB": ((1, 16), (255, 51, 9, 132)),
    "HLG": ((9, 18), (228, 49, 17, 99)),
    "HLG with P3": ((12, 18), (202, 71, 18, 99)),
}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("limits", ["full", "limited"])
@pytest.mark.parametrize("name", CODES)
def test_shows_the_colours_that_chromium_shows(name: str, limits: str, mode: str) -> None:
    """The same code points mean other curves than in a PNG: what a camera encoded is shown as sRGB."""
    codes, expected = CODES[name]
    assert np.abs(np.array(colours(avif(mode, codes=codes, range=limits))) - expected).max() <= 5


def test_blue_of_limited_range_is_as_bright_as_of_full_range() -> None:
    """libyuv makes it darker; the file is of 10 bits, by avifenc from (80, 5, 215)."""
    source = (Path(__file__).parents[1] / "fixtures/images/limited-hlg-10-bit.avif").read_bytes()
    assert np.abs(shown(source)[8, 8, :3] - (47, 0, 204)).max() <= 3


@pytest.mark.parametrize("transfer", [9, 10, 11, 12])
def test_refuses_a_curve_that_no_browser_shows(transfer: int) -> None:
    """The error names the code point."""
    with pytest.raises(CompressError, match=f"transfer characteristics {transfer}") as caught:
        shown(avif(codes=(1, transfer)))
    assert caught.value.code == "unsupported_format"


@pytest.mark.parametrize("limits", ["full", "limited"])
@pytest.mark.parametrize("codes", [(1, 13), (12, 13), (9, 16)])
def test_reads_the_colours_of_a_file_without_nclx(codes: tuple[int, int], limits: str) -> None:
    """The sequence header of the picture has them, too, and its range."""
    source = avif(range=limits).replace(b"colrnclx", b"xxxxnclx")
    # A still picture's header: three bytes of colours follow the bit that says they are there.
    bits = int.from_bytes(source, "big")
    old, new = (primaries << 16 | transfer << 8 | 6 for primaries, transfer in ((1, 13), codes))
    place = next(
        place
        for place in range(8 * 200)
        if bits >> 8 * (len(source) - source.index(b"mdat")) - 24 - place & 0xFFFFFF == old
    )
    bits ^= (old ^ new) << 8 * (len(source) - source.index(b"mdat")) - 24 - place
    changed = bits.to_bytes(len(source), "big")
    assert np.abs(np.array(colours(changed)) - colours(avif(codes=codes, range=limits))).max() <= 3


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(profiles.RGB_18, AS_18, id="a-profile-before-nclx"),
        pytest.param(profiles.GREY_18, UNCHANGED, id="a-grey-profile"),
        pytest.param(b"junk" * 99, UNCHANGED, id="junk"),
    ],
)
def test_a_profile_takes_precedence(profile: bytes, expected: tuple[int, ...]) -> None:
    """A profile of another kind of picture is ignored."""
    assert np.abs(np.array(colours(avif(icc_profile=profile))) - expected).max() <= 3


@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize(
    ("profile", "expected"), [(profiles.GREY_18, 146), (profiles.RGB_18, 146), (profiles.PRESS, 128)]
)
def test_profiles_of_grey_pictures(mode: str, profile: bytes, expected: int) -> None:
    """Pillow gives them as RGB, so the file tells that they are grey."""
    pixels = shown(avif(mode, icc_profile=profile))
    assert np.abs(pixels[16, 48, :3] - expected).max() <= 3


def test_an_animation_has_the_colours_of_its_track() -> None:
    """The file names colours for its still picture and for its frames."""
    source = avif(save_all=True, append_images=[Image.new("RGB", (64, 32))])
    last = source.rindex(b"colrnclx") + 8
    assert np.abs(np.array(colours(source)) - UNCHANGED).max() <= 3
    changed = source[:last] + struct.pack(">HH", 12, 13) + source[last + 4 :]
    assert np.abs(np.array(colours(changed)) - AS_P3).max() <= 3


# A part of the picture


def with_aperture(source: bytes, *numbers: int) -> bytes:
    """The file of one item with a clap in place of its ICC profile, which is a property, too."""
    start, end = next((begin + 4, stop) for name, begin, stop in boxes(source, 0, len(source)) if name == b"meta")
    start, end = next((begin, stop) for name, begin, stop in boxes(source, start, end) if name == b"iprp")
    pool, table = ((begin, stop) for _, begin, stop in boxes(source, start, end))
    names = [source[begin : begin + 4] for _, begin, _ in boxes(source, *pool)]
    begin, stop = list(boxes(source, *pool))[names.index(b"prof")][1:]
    clap = struct.pack(">I4s4IiIiI", 40, b"clap", *numbers)
    spare = stop - begin + 8 - len(clap)
    properties = source[pool[0] : begin - 8] + clap + source[stop : pool[1]] + struct.pack(">I4s", spare, b"free")
    owned = source[table[0] + 11 : table[1]].replace(
        bytes([names.index(b"prof") + 1]), bytes([names.index(b"prof") + 129])
    )
    out = source[: pool[0]] + properties.ljust(pool[1] - pool[0], b"\0") + source[pool[1] : table[0] + 11]
    return out + owned + source[table[1] :]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        pytest.param((32, 1, 16, 1, -16, 1, -8, 1), (32, 16), id="the-top-left"),
        pytest.param((64, 2, 32, 1, -32, 2, 0, 1), (32, 32), id="halves"),
        pytest.param((32, 1, 16, 1, 0, 1, 0, 1), (64, 32), id="the-middle"),
        pytest.param((32, 1, 16, 1, 16, 1, 8, 1), (64, 32), id="the-bottom-right"),
        pytest.param((63, 2, 32, 1, 0, 1, 0, 1), (64, 32), id="half-a-pixel"),
        pytest.param((99, 1, 32, 1, 0, 1, 0, 1), (64, 32), id="too-wide"),
        pytest.param((0, 1, 32, 1, -32, 1, 0, 1), (64, 32), id="nothing"),
        pytest.param((32, 0, 32, 1, 0, 1, 0, 1), (64, 32), id="divided-by-zero"),
    ],
)
def test_shows_the_part_that_chromium_shows(numbers: tuple[int, ...], expected: tuple[int, int]) -> None:
    """It crops at the right and at the bottom alone."""
    source = with_aperture(avif(icc_profile=profiles.P3), *numbers)
    pixels = shown(source)
    assert pixels.shape[1::-1] == expected
    assert np.abs(pixels[8, 8, :3] - BROWN).max() <= 3


def test_a_part_takes_the_memory_of_the_whole() -> None:
    """The limit counts what is decoded."""
    source = with_aperture(encode(Image.new("L", (2100, 2100)), "AVIF", speed=10, icc_profile=profiles.P3), *PIXEL)
    with pytest.raises(CompressError, match="too much memory"):
        compress(source, options=CompressOptions(), max_pixels=1)
    assert compress(source, options=CompressOptions(), max_pixels=50_000_000).source.width == 1


# Two tables of properties


def split_associations(source: bytes) -> bytes:
    """The file with one ipma for each item, all of the same version; the data moves by the bytes that it adds."""
    found = {name: (start, end) for name, start, end in boxes(source, 0, len(source))}
    start, end = found[b"meta"]
    inside = {name: (begin, stop) for name, begin, stop in boxes(source, start + 4, end)}
    ipma = next((begin, stop) for name, begin, stop in boxes(source, *inside[b"iprp"]) if name == b"ipma")
    table, entries, at = source[slice(*ipma)], [], 8
    while at < len(table):
        entries.append(table[at : at + 3 + table[at + 2]])
        at += len(entries[-1])
    pieces = [struct.pack(">I4s4sI", 16 + len(entry), b"ipma", table[:4], 1) + entry for entry in entries]
    more = 16 * (len(pieces) - 1)
    out = bytearray(source[: ipma[0] - 8] + b"".join(pieces) + source[ipma[1] :])
    for begin in (start, inside[b"iprp"][0]):
        out[begin - 8 : begin - 4] = struct.pack(">I", int.from_bytes(out[begin - 8 : begin - 4], "big") + more)
    begin, stop = inside[b"iloc"]
    for place in range(begin + 8 + 6, stop, 14):  # libavif writes one extent an item.
        out[place : place + 4] = struct.pack(">I", int.from_bytes(out[place : place + 4], "big") + more)
    return bytes(out)


def test_joins_two_tables_of_properties() -> None:
    """Browsers show such a file; the decoder takes it for damaged."""
    source = avif("LA")
    split = split_associations(source)
    assert split.count(b"ipma") == source.count(b"ipma") + 1
    assert np.array_equal(shown(split), shown(source))
    assert len(join_associations(split)) == len(split)
    assert join_associations(source) is source
