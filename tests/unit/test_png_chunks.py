"""PNGs with a transparent colour, damaged chunks, missing pixels, and animations. Chromium shows the same."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import decode, exif
from tests.support.picture_bytes import png_chunk
from tests.support.png_pictures import END, damaged, gamma, header, png_of, rows_of

ADLER, CRC = 4, 4  # bytes of a checksum
COLOURS = np.arange(16 * 8 * 3).reshape(8, 16, 3) % 256
INVERSE = 255 - COLOURS
PIXELS = zlib.compress(rows_of(COLOURS))
HEAD = header(16, 8)
DATA = png_chunk(b"IDAT", PIXELS)


def shown(source: bytes) -> np.ndarray[Any, Any]:
    """The pixels of the rendition at full size, as RGBA."""
    body = compress(source, options=CompressOptions(scale=1.0, format="png"), max_pixels=1_000_000).body
    return np.asarray(decode(body).convert("RGBA")).astype(int)


def refusal(source: bytes) -> CompressError:
    """The error that this source ends in."""
    with pytest.raises(CompressError) as caught:
        shown(source)
    return caught.value


def key(*samples: int) -> bytes:
    """A tRNS with a transparent colour."""
    return png_chunk(b"tRNS", struct.pack(f">{len(samples)}H", *samples))


# The transparent colour


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("colour", [0, 2], ids=["grey", "rgb"])
def test_the_transparent_colour_is_that_of_all_its_bits(colour: int, depth: int, interlaced: bool) -> None:
    """At 16 bits, a colour that differs in its last bit alone stays."""
    if colour == 2 and depth < 8:
        pytest.skip("RGB has 8 or 16 bits")
    channels = 3 if colour else 1
    levels = {1: [1, 0], 2: [2, 1], 4: [9, 10], 8: [200, 201], 16: [0x8182, 0x8183, 0x8282]}[depth]
    samples = np.array([levels * 8] * 9)[..., None].repeat(channels, 2)
    source = png_of(samples, key(*levels[:1] * channels), depth=depth, colour=colour, interlaced=interlaced)
    alpha = shown(source)[..., 3]
    assert np.array_equal(alpha, np.where(samples[..., 0] == levels[0], 0, 255))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_only_the_low_byte_of_a_transparent_colour_counts(depth: int) -> None:
    """A value that no sample can have makes nothing transparent."""
    samples = np.full((2, 2, 1), 1)
    assert shown(png_of(samples, key(0x101), depth=depth, colour=0))[0, 0, 3] == 0
    if depth < 8:
        assert shown(png_of(samples, key(2**depth + 1), depth=depth, colour=0))[0, 0, 3] == 255


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("interlaced", [False, True])
def test_the_transparency_of_a_palette(depth: int, interlaced: bool) -> None:
    """Colours without a value are opaque."""
    samples = (np.arange(64).reshape(8, 8, 1)) % 2
    chunks = (png_chunk(b"PLTE", bytes([9, 9, 9, 90, 90, 90])), png_chunk(b"tRNS", bytes([0])))
    alpha = shown(png_of(samples, *chunks, depth=depth, colour=3, interlaced=interlaced))[..., 3]
    assert np.array_equal(alpha, samples[..., 0] * 255)


PALETTE = png_chunk(b"PLTE", bytes(range(12)))
GREEN = png_chunk(b"PLTE", bytes([9, 9, 9, 0, 255, 0]))


@pytest.mark.parametrize(
    ("chunks", "index", "expected"),
    [
        pytest.param((png_chunk(b"tRNS", bytes([0])), PALETTE), 0, (0, 1, 2, 255), id="transparency-too-early"),
        pytest.param((PALETTE, damaged(png_chunk(b"tRNS", bytes([0])))), 0, (0, 1, 2, 255), id="damaged"),
        pytest.param((PALETTE, png_chunk(b"tRNS", b"\7"), png_chunk(b"tRNS", b"\xff")), 0, (0, 1, 2, 7), id="two"),
        pytest.param((PALETTE, png_chunk(b"tRNS", bytes(6))), 3, (9, 10, 11, 0), id="longer-than-the-palette"),
        pytest.param((PALETTE, png_chunk(b"tRNS", bytes(300))), 3, (9, 10, 11, 255), id="longer-than-any-palette"),
        pytest.param((GREEN,), 200, (0, 255, 0, 255), id="a-sample-beyond-the-palette"),
        pytest.param((GREEN, png_chunk(b"tRNS", b"\7")), 200, (0, 255, 0, 255), id="beyond-one-transparency"),
        pytest.param((GREEN, png_chunk(b"tRNS", b"\7\x09")), 200, (0, 255, 0, 9), id="beyond-all-transparency"),
        pytest.param((GREEN, png_chunk(b"tRNS", b"\7\x09\x63")), 2, (0, 255, 0, 9), id="transparency-of-no-colour"),
        pytest.param((png_chunk(b"PLTE", GREEN[8:14] + b"\xff"),), 200, (0, 255, 0, 255), id="half-a-colour"),
    ],
)
def test_odd_palettes(chunks: tuple[bytes, ...], index: int, expected: tuple[int, ...]) -> None:
    """A misplaced or damaged transparency is ignored; the last colour stands for missing ones."""
    pixel = shown(png_of(np.full((2, 2, 1), index), *chunks, colour=3))[0, 0]
    assert tuple(pixel) == expected if expected[3] else pixel[3] == 0


@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_a_missing_palette_is_refused_at_every_scale(scale: float) -> None:
    """A small output would be white."""
    options = CompressOptions(scale=scale, format="png")
    source = png_of(np.zeros((64, 64, 1)), colour=3)
    with pytest.raises(CompressError) as caught:
        compress(source, options=options, max_pixels=10**6)
    assert caught.value.code == "corrupt_image"


def test_a_short_transparent_colour_is_ignored() -> None:
    """It has fewer bytes than the samples of a pixel."""
    assert shown(png_of(COLOURS, key(0)))[..., 3].min() == 255
    assert shown(png_of(COLOURS[..., :1], png_chunk(b"tRNS", b"\7"), colour=0))[..., 3].min() == 255


# Damage

NAMES = (b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"gAMA", b"sRGB", b"cHRM", b"iCCP", b"tIME", b"eXIf", b"bKGD", b"sBIT")
UNNEEDED = (*NAMES, b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT", b"cICP", b"mDCV", b"cLLI", b"zzZz", b"a\0bc")


@pytest.mark.parametrize("name", UNNEEDED, ids=repr)
@pytest.mark.parametrize("after", [False, True], ids=["before-the-pixels", "after-the-pixels"])
def test_no_chunk_that_pixels_do_not_need_can_spoil_them(name: bytes, after: bool) -> None:
    """The chunk is empty, too short, or has the wrong checksum."""
    chunks = [png_chunk(name, b""), png_chunk(name, b"\0")]
    chunks += [damaged(png_chunk(name, b"\0" * 9))] if name.isalpha() else []
    for chunk in chunks:
        source = HEAD + DATA + chunk + END if after else HEAD + chunk + DATA + END
        assert np.array_equal(shown(source)[..., :3], COLOURS)


BOMB = zlib.compress(bytes(20_000_000), 9)
WHOLE = {
    "no IEND": HEAD + DATA,
    "half an IEND": HEAD + DATA + END[:7],
    "a damaged IEND": HEAD + DATA + damaged(END),
    "no checksum of the last chunk": HEAD + DATA[:-CRC],
    "a damaged last chunk of pixels": HEAD + damaged(DATA) + END,
    "bytes after the end": HEAD + DATA + END + b"<script>" * 9,
    "another PNG after the end": (HEAD + DATA + END) * 2,
    "a chunk that claims 2 GiB after the pixels": HEAD + DATA + b"\x7f\xff\xff\xfftEXt",
    "a wrong checksum of the pixels": HEAD + png_chunk(b"IDAT", PIXELS[:-ADLER] + bytes(4)) + END,
    "no checksum of the pixels": HEAD + png_chunk(b"IDAT", PIXELS[:-ADLER]) + END,
    "bytes after the pixels": HEAD + png_chunk(b"IDAT", PIXELS + b"junk") + END,
    "more rows than the header says": HEAD + png_chunk(b"IDAT", zlib.compress(rows_of(COLOURS) * 2)) + END,
    "pixels in pieces, one empty": HEAD
    + b"".join(png_chunk(b"IDAT", part) for part in (PIXELS[:40], b"", PIXELS[40:]))
    + END,
    "a palette that is only a suggestion": HEAD + png_chunk(b"PLTE", bytes(4)) + DATA + END,
    "a text of 20 MB": HEAD + png_chunk(b"zTXt", b"a\0\0" + BOMB) + DATA + END,
    "a profile of 20 MB": HEAD + png_chunk(b"iCCP", b"a\0\0" + BOMB) + DATA + END,
    "colours after the pixels": HEAD + DATA + gamma(1) + END,
}


@pytest.mark.parametrize("name", WHOLE)
def test_shows_a_picture_that_is_all_there(name: str) -> None:
    """What is wrong or missing is not part of its pixels."""
    assert np.array_equal(shown(WHOLE[name])[..., :3], COLOURS)


def cut(samples: Any, missing: int, **kind: Any) -> bytes:
    """A PNG whose stream of pixels ends early, but properly."""
    rows = rows_of(samples, depth=kind.get("depth", 8), interlaced=kind.get("interlaced", False))
    head = header(samples.shape[1], samples.shape[0], **kind)
    return head + png_chunk(b"IDAT", zlib.compress(rows[: len(rows) - missing])) + END


@pytest.mark.parametrize(
    ("source", "share"),
    [
        pytest.param(cut(COLOURS, 49), 87, id="a-row"),
        pytest.param(cut(COLOURS, 49 * 4), 50, id="half"),
        pytest.param(cut(COLOURS, 3), 99, id="a-pixel"),
        pytest.param(cut(COLOURS, 49, interlaced=True), 87, id="interlaced"),
        pytest.param(cut(COLOURS[:7], 49, interlaced=True), 85, id="interlaced-odd"),
        pytest.param(cut(COLOURS * 257, 97, depth=16), 87, id="16-bit"),
        pytest.param(cut(COLOURS[..., :1], 17, colour=0), 87, id="grey"),
        pytest.param(cut(COLOURS[..., :1] * 257, 33, colour=0, depth=16), 87, id="16-bit-grey"),
        pytest.param(cut(COLOURS[..., :1] % 2, 3, colour=0, depth=1), 87, id="1-bit"),
    ],
)
def test_says_how_much_of_a_cut_picture_is_there(source: bytes, share: int) -> None:
    """The rows may end properly; the decoder would show the missing ones as black."""
    error = refusal(source)
    assert error.code == "truncated_image"
    assert abs(int(error.detail.split("only ")[1].split("%")[0]) - share) <= 8


def test_tells_damage_from_an_early_end() -> None:
    """Where the stream cannot be inflated, the rows before it are counted."""
    stored = b"\x78\x01\0" + struct.pack("<HH", 98, 98 ^ 0xFFFF) + rows_of(COLOURS)[:98]
    error = refusal(HEAD + png_chunk(b"IDAT", stored + b"\7") + END)  # A block of a reserved type.
    assert error.code == "truncated_image"
    assert "is damaged and only" in error.detail


def test_shows_no_pixels_that_both_checksums_call_damaged() -> None:
    """One wrong checksum may be the only damage, but not two."""
    data = bytearray(png_chunk(b"IDAT", zlib.compress(rows_of(COLOURS), 0)))
    data[100] ^= 1
    assert refusal(HEAD + bytes(data) + END).code == "corrupt_image"


@pytest.mark.parametrize("colour", [0, 2])
def test_a_last_row_of_any_colour_is_not_missing(colour: int) -> None:
    """The last row is marked before it is decoded, and a picture may end in the very colour of the mark."""
    for level in (0, 0xA5, 255):
        samples = np.full((3, 4, 3 if colour else 1), level)
        assert shown(png_of(samples, colour=colour))[0, 0, 0] == level


# Animations


def control(number: int, width: int = 16, height: int = 8) -> bytes:
    """An fcTL of a frame at the top left."""
    return png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 1, 0, 0))


def frames(count: int) -> bytes:
    """An acTL chunk."""
    return png_chunk(b"acTL", struct.pack(">II", count, 1))


FRAME = png_chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(rows_of(INVERSE)))
HIDDEN = HEAD + frames(1) + DATA + control(0) + FRAME + END


def test_shows_the_first_frame_of_an_animation_and_not_its_hidden_picture() -> None:
    """Browsers show the still picture only where it is the first frame, or where the animation is damaged."""
    assert np.array_equal(shown(HIDDEN)[..., :3], INVERSE)
    assert np.array_equal(shown(HEAD + frames(1) + control(0) + DATA + END)[..., :3], COLOURS)
    assert np.array_equal(shown(HEAD + DATA + frames(1) + control(0) + FRAME + END)[..., :3], COLOURS)
    assert np.array_equal(shown(ONE + damaged(control(0)) + FRAME + END)[..., :3], COLOURS)


def frame(number: int, pixels: bytes = b"") -> bytes:
    """An fdAT with this number, of the inverse picture."""
    return png_chunk(b"fdAT", struct.pack(">I", number) + (pixels or zlib.compress(rows_of(INVERSE))))


GREY_FRAME = zlib.compress(rows_of(COLOURS * 0 + 90))
PACKED = zlib.compress(rows_of(INVERSE))
FIRST = HEAD + frames(2) + DATA + control(0) + frame(1)
ONE = HEAD + frames(1) + DATA
ANIMATIONS = {
    "two frames": (FIRST + control(2) + frame(3, GREY_FRAME), INVERSE),
    "pixels in two parts": (
        HEAD + frames(1) + DATA + control(0) + frame(1, PACKED[:9]) + frame(2, PACKED[9:]),
        INVERSE,
    ),
    "a first frame without pixels": (HEAD + frames(2) + DATA + control(0) + control(1) + frame(2), INVERSE),
    "two counts of frames": (HEAD + frames(2) + frames(1) + DATA + control(0) + frame(1), INVERSE),
    "a wrong checksum of the pixels": (ONE + control(0) + damaged(frame(1)), INVERSE),
    "a damaged second frame": (FIRST + damaged(control(2)) + frame(3, GREY_FRAME), INVERSE),
    "a second frame out of order": (FIRST + control(7) + frame(3, GREY_FRAME), INVERSE),
    "no frames": (HEAD + frames(0) + DATA + control(0) + frame(1), COLOURS),
    "too many frames": (HEAD + frames(2**31 + 1) + DATA + control(0) + frame(1), COLOURS),
    "a long count of frames": (
        HEAD + png_chunk(b"acTL", bytes(3) + b"\1" + bytes(5)) + DATA + control(0) + frame(1),
        COLOURS,
    ),
    "no control": (ONE + frame(0), COLOURS),
    "a number twice": (ONE + control(0) + frame(0), COLOURS),
    "a number too high": (ONE + control(1) + frame(2), COLOURS),
    "a part missing": (ONE + control(0) + frame(1, PACKED[:9]) + frame(3, PACKED[9:]), COLOURS),
    "pixels that are first": (HEAD + frames(2) + control(0) + DATA + control(1) + frame(2), COLOURS),
}


@pytest.mark.parametrize("name", ANIMATIONS)
def test_which_picture_of_an_animation_is_shown(name: str) -> None:
    """The first frame with pixels, or the still picture where no frame can be the first one."""
    source, expected = ANIMATIONS[name]
    assert np.array_equal(shown(source + END)[..., :3], expected)


def test_grey_of_16_bits_with_a_gamma_counts_by_its_high_bytes() -> None:
    """As in Chromium; in linear light, rounding up the darkest samples would make 13 levels of them."""
    samples = np.array([[0, 255, 256, 511, 512, 65535]])[..., None]
    levels = shown(png_of(samples, gamma(1), depth=16, colour=0))[0, :, 0]
    assert levels.tolist() == [0, 0, 13, 13, 22, 255]


def test_keeps_no_pixels_of_an_animation() -> None:
    """The bytes of the hidden picture are not those that are shown."""
    options = CompressOptions(scale=1.0, format="keep", quality="smart")
    assert not compress(HIDDEN, options=options, max_pixels=1_000_000).kept


SMALL = zlib.compress(rows_of(INVERSE[:4, :8]))


def small(left: int, top: int, *head: bytes) -> bytes:
    """An animation whose hidden picture is followed by a frame of 8 x 4 pixels."""
    place = struct.pack(">IIIIIHHBB", 0, 8, 4, left, top, 1, 1, 0, 0)
    shape = HEAD + b"".join(head) + frames(1) + DATA + png_chunk(b"fcTL", place)
    return shape + png_chunk(b"fdAT", struct.pack(">I", 1) + SMALL) + END


def test_shows_a_small_first_frame_on_the_canvas_of_its_animation() -> None:
    """What is around it is transparent, as in browsers."""
    made = shown(small(3, 2))
    assert made.shape == (*COLOURS.shape[:2], 4)
    assert np.array_equal(made[2:6, 3:11, :3], INVERSE[:4, :8])
    assert made[2:6, 3:11, 3].min() == 255
    assert made[..., 3].astype(bool).sum() == 32


def test_a_small_first_frame_has_the_colours_of_its_file() -> None:
    """They come before the frame, and are not copied with it."""
    assert not np.array_equal(shown(small(3, 2, gamma(1)))[2:6, 3:11, :3], INVERSE[:4, :8])


def test_a_small_first_frame_is_turned_on_its_canvas() -> None:
    """The orientation is that of the whole animation."""
    turned = png_chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0"))
    assert np.array_equal(shown(small(3, 2, turned)), np.rot90(shown(small(3, 2)), -1))


@pytest.mark.parametrize(("left", "top"), [(COLOURS.shape[1] - 7, 0), (0, 2**32 - 1), (2**31, 2**31)])
def test_a_frame_beyond_its_canvas_counts_as_none(left: int, top: int) -> None:
    """The still picture is shown."""
    assert np.array_equal(shown(small(left, top))[..., :3], COLOURS)
