"""BMPs of every header, depth, mask and run length show what Chromium shows."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.support import profiles
from tests.support.rendered import on_white, refused

HEIGHT, WIDTH = 12, 18
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
COLOURS = np.dstack([COLUMNS * 14, ROWS * 22, 255 - COLUMNS * 10]).astype(np.uint8)
ALPHA = np.clip(COLUMNS * 16, 0, 255).astype(np.uint8)
HEADERS = (40, 52, 56, 108, 124)


def _bmp(
    bits: int,
    pixels: bytes,
    *,
    header: int = 40,
    compression: int = 0,
    masks: tuple[int, ...] = (),
    palette: bytes = b"",
    colours: int = 0,
    top_down: bool = False,
    reserved: bytes = bytes(4),
) -> bytes:
    height = -HEIGHT if top_down else HEIGHT
    fields = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(pixels), 0, 0, colours, 0)
    whole = (fields + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    start = 14 + len(whole) + len(palette)
    return b"BM" + struct.pack("<I4sI", start + len(pixels), reserved, start) + whole + palette + pixels


def _rows(values: npt.NDArray[Any], *, top_down: bool = False) -> bytes:
    rows = values if top_down else values[::-1]
    return b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in rows)


def _masked(masks: tuple[int, ...], bits: int) -> tuple[bytes, npt.NDArray[np.float64]]:
    """The pixels, and what they show on white once their bits are cut."""
    words = np.zeros((HEIGHT, WIDTH), np.uint32)
    shown = np.zeros((HEIGHT, WIDTH, 4))
    shown[..., 3] = 255
    for number, mask in enumerate(masks):
        if not mask:
            continue
        shift = (mask & -mask).bit_length() - 1
        channel = ALPHA if number == 3 else COLOURS[..., number]
        cut = np.rint(channel / 255 * (mask >> shift))
        words |= cut.astype(np.uint32) << shift
        shown[..., number] = cut * 255 / (mask >> shift)
    alpha = shown[..., 3:] / 255
    return _rows(words.astype(f"<u{bits // 8}")), shown[..., :3] * alpha + 255 * (1 - alpha)


MASKS = {
    "BGRA": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "BGRX": (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    "RGBA": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "ABGR": (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
    "10 bits": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000)),
    "10 bits, opaque": (32, (0x3FF, 0xFFC00, 0x3FF00000, 0)),
    "uneven": (32, (0x7F000000, 0x1FE00, 0x3F, 0x700000)),
    "no red": (32, (0, 0xFF00, 0xFF, 0)),
    "565": (16, (0xF800, 0x7E0, 0x1F, 0)),
    "555": (16, (0x7C00, 0x3E0, 0x1F, 0)),
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "444": (16, (0xF00, 0xF0, 0xF, 0)),
    "565 backwards": (16, (0x1F, 0x7E0, 0xF800, 0)),
    "332": (16, (0xE0, 0x1C, 0x3, 0)),
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name", MASKS)
def test_reads_any_bit_masks(name: str, header: int) -> None:
    """Headers of 56 bytes and more have transparency; shorter ones have masks of three colours."""
    bits, masks = MASKS[name]
    used = masks if header >= 56 else (*masks[:3], 0)
    pixels, shown = _masked(used, bits)
    source = _bmp(bits, pixels, header=header, compression=3, masks=used if header >= 56 else used[:3])
    assert np.abs(on_white(source) - shown).max() <= 5  # 5 bits are widened in two ways


def test_reads_masks_with_transparency_after_a_short_header() -> None:
    """Windows CE writes BI_ALPHABITFIELDS."""
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels, shown = _masked(masks, 32)
    assert np.abs(on_white(_bmp(32, pixels, compression=6, masks=masks)) - shown).max() <= 1


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("top_down", [False, True], ids=["bottom-up", "top-down"])
@pytest.mark.parametrize("reserved", [bytes(4), b"\1\2\3\4"], ids=["", "reserved"])
def test_reads_24_bits_with_any_header(header: int, top_down: bool, reserved: bytes) -> None:
    """The reserved bytes may hold anything."""
    pixels = _rows(COLOURS[..., ::-1].copy(), top_down=top_down)
    made = on_white(_bmp(24, pixels, header=header, top_down=top_down, reserved=reserved))
    assert (made == COLOURS).all()


def test_ignores_the_fourth_byte_of_32_bits_without_masks() -> None:
    """It is reserved, and often 0."""
    pixels = _rows(np.dstack([COLOURS[..., ::-1], ALPHA]))
    assert (on_white(_bmp(32, pixels)) == COLOURS).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_reads_palettes(bits: int) -> None:
    """Two bits a pixel are not in the specification, and browsers show them."""
    count = 2**bits
    palette = np.array([[number * 255 // (count - 1), 90, 255 - number % 256, 0] for number in range(count)], np.uint8)
    numbers = (ROWS * 5 + COLUMNS * 3) % count
    packed = np.packbits(
        (numbers[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).reshape(HEIGHT, -1), 1
    )
    made = on_white(_bmp(bits, _rows(packed), palette=palette.tobytes(), colours=count))
    assert (made == palette[numbers][..., 2::-1]).all()


@pytest.mark.parametrize("size", [16, 20, 24, 36, 42, 48, 60, 64])
def test_reads_headers_of_os2(size: int) -> None:
    """OS/2 2 cuts its header where the rest is 0."""
    fields = struct.pack("<IIIHH", size, WIDTH, HEIGHT, 1, 24).ljust(size, b"\0")
    source = b"BM" + struct.pack("<III", 0, 0, 14 + size) + fields + _rows(COLOURS[..., ::-1].copy())
    assert (on_white(source) == COLOURS).all()


@pytest.mark.parametrize("header", [108, 124])
def test_takes_transparency_from_a_long_header_without_masks(header: int) -> None:
    """Chromium does, although the specification says that the masks have no meaning there."""
    pixels, shown = _masked((0xFF0000, 0xFF00, 0xFF, 0xFF000000), 32)
    source = _bmp(32, pixels, header=header, masks=(0, 0, 0, 0xFF000000))
    assert np.abs(on_white(source) - shown).max() <= 1


PALETTE = bytes(value for number in range(256) for value in (number, 255 - number, 40, 0))
RUNS_8 = {
    "runs": (b"\x12\x05\0\0" * HEIGHT + b"\0\1", np.full((HEIGHT, WIDTH), 5)),
    "no end": (b"\x12\x05\0\0" * HEIGHT, np.full((HEIGHT, WIDTH), 5)),
    "pixels": ((b"\0\x12" + bytes(range(18)) + b"\0\0") * HEIGHT + b"\0\1", COLUMNS),
    "odd pixels": ((b"\0\x11" + bytes(range(17)) + b"\0" + b"\1\x11\0\0") * HEIGHT + b"\0\1", COLUMNS),
    "too long": (b"\xff\x05\0\0" * HEIGHT + b"\0\1", np.full((HEIGHT, WIDTH), 5)),
    "a jump": (
        b"\3\7\0\2\2\1\1\x09\0\1",
        np.where((ROWS == 11) & (COLUMNS < 3), 7, -1) + 10 * ((ROWS == 10) & (COLUMNS == 5)),
    ),
}


@pytest.mark.parametrize("name", RUNS_8)
def test_reads_run_lengths(name: str) -> None:
    """Pixels that no run sets are black."""
    runs, numbers = RUNS_8[name]
    colours = np.frombuffer(PALETTE, np.uint8).reshape(256, 4)[..., 2::-1]
    shown = np.where(numbers[..., None] < 0, 0, colours[numbers])
    assert (on_white(_bmp(8, runs, compression=1, palette=PALETTE, colours=256)) == shown).all()


def test_reads_run_lengths_of_half_bytes() -> None:
    """A run alternates between two colours."""
    made = on_white(_bmp(4, b"\x12\x3c\0\0" * HEIGHT + b"\0\1", compression=2, palette=PALETTE[:64], colours=16))
    colours = np.frombuffer(PALETTE, np.uint8).reshape(256, 4)[..., 2::-1]
    assert (made == colours[np.where(COLUMNS % 2, 12, 3)]).all()


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        pytest.param(_bmp(24, bytes(100)), "truncated_image", "ends too early", id="cut"),
        pytest.param(
            _bmp(8, b"\x12\x05\0\0" * 5, compression=1, palette=PALETTE), "truncated_image", "ends", id="runs-cut"
        ),
        pytest.param(
            _bmp(8, bytes(2**20), compression=1, palette=PALETTE), "unsupported_format", "run lengths", id="long"
        ),
        pytest.param(_bmp(0, b"\xff\xd8", compression=4), "unsupported_format", "JPEG", id="jpeg-inside"),
        pytest.param(_bmp(24, b"\1", header=64, compression=4), "unsupported_format", "24 bits", id="24-bit-runs"),
        pytest.param(_bmp(1, b"\1", header=64, compression=3), "unsupported_format", "fax", id="fax"),
        pytest.param(_bmp(0, b"\x89PNG", compression=5), "unsupported_format", "PNG", id="png-inside"),
    ],
)
def test_refuses_what_is_not_whole(source: bytes, code: str, says: str) -> None:
    """The error says what the file holds."""
    error = refused(source)
    assert (error.code, says in error.detail) == (code, True)


def test_a_cut_bmp_tells_how_much_is_there() -> None:
    """Its rows come from the bottom up."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 100), "red").save(stream, "BMP")
    assert "about 60% of the picture is there" in refused(stream.getvalue()[: 54 + 60 * 120]).detail


@pytest.mark.parametrize("kind", ["24", "32", "8"])
@pytest.mark.parametrize(
    ("mark", "cut", "counts"), [(b"DEBM", 0, True), (b"DEBM", 1, False), (b"KNIL", 0, False), (b"BGRs", 0, False)]
)
def test_a_profile_inside_counts(mark: bytes, cut: int, counts: bool, kind: str) -> None:
    """Browsers use it where all of it is there, and ignore names of other files."""
    pixels, palette, masks = {
        "24": (_rows(COLOURS[..., ::-1].copy()), b"", ()),
        "32": (_rows(np.dstack([COLOURS[..., ::-1], ALPHA * 0 + 255])), b"", (0xFF0000, 0xFF00, 0xFF, 0)),
        "8": (_rows(np.zeros((HEIGHT, WIDTH), np.uint8)), bytes([*COLOURS[5, 9, ::-1], 0]) * 256, ()),
    }[kind]
    compression = 3 if masks else 0
    plain = _bmp(int(kind), pixels, header=124, compression=compression, masks=masks, palette=palette)
    place = struct.pack("<II", len(plain) - 14, len(profiles.RGB_18))
    whole = plain[:70] + mark + plain[74:126] + place + plain[134:] + profiles.RGB_18
    shown, bare = (on_white(source)[5, 9] for source in (whole[: len(whole) - cut], plain))
    assert bool(np.abs(shown - bare).max() > 2) is counts
