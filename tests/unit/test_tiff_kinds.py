"""TIFFs of every kind of sample, layout and compression show what they mean, or are refused by name."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import encode
from tests.support.rendered import on_white, refused
from tests.support.tiffs import Tags, packed_bits, page_of, pages_of, tiff_of

Picture = npt.NDArray[np.float64]
HEIGHT, WIDTH = 16, 24
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
GREY: Picture = ((ROWS + COLUMNS) / (HEIGHT + WIDTH - 2))[..., None]
COLOURS: Picture = np.stack([COLUMNS / (WIDTH - 1), ROWS / (HEIGHT - 1), 1 - COLUMNS / (WIDTH - 1) / 2], axis=2)
ALPHA: Picture = np.clip(COLUMNS / WIDTH * 1.2, 0.05, 1)[..., None]
OTHER: Picture = (1 - GREY) / 2


def _shown(colours: Picture, alpha: Picture | float = 1.0) -> Picture:
    return np.broadcast_to(colours * alpha + 1 - alpha, (HEIGHT, WIDTH, 3)) * 255


# Kind: samples from 0 to 1, photometric, extra samples, and what is shown.
KINDS: dict[str, tuple[Picture, int, tuple[int, ...], Picture]] = {
    "grey": (GREY, 1, (), _shown(GREY)),
    "grey, white is 0": (1 - GREY, 0, (), _shown(GREY)),
    "grey, white is 0, with alpha": (np.dstack([1 - GREY, ALPHA]), 0, (2,), _shown(GREY, ALPHA)),
    "grey with alpha": (np.dstack([GREY, ALPHA]), 1, (2,), _shown(GREY, ALPHA)),
    "grey with associated alpha": (np.dstack([GREY * ALPHA, ALPHA]), 1, (1,), _shown(GREY, ALPHA)),
    "grey with another sample": (np.dstack([GREY, OTHER]), 1, (0,), _shown(GREY)),
    "rgb": (COLOURS, 2, (), _shown(COLOURS)),
    "rgb with alpha": (np.dstack([COLOURS, ALPHA]), 2, (2,), _shown(COLOURS, ALPHA)),
    "rgb with associated alpha": (np.dstack([COLOURS * ALPHA, ALPHA]), 2, (1,), _shown(COLOURS, ALPHA)),
    "rgb with another sample": (np.dstack([COLOURS, OTHER]), 2, (0,), _shown(COLOURS)),
    "rgb with alpha and another": (np.dstack([COLOURS, ALPHA, OTHER]), 2, (2, 0), _shown(COLOURS, ALPHA)),
    "cmyk": (np.dstack([1 - COLOURS, GREY * 0]), 5, (), _shown(COLOURS)),
    "cmyk with another sample": (np.dstack([1 - COLOURS, GREY * 0, OTHER]), 5, (0,), _shown(COLOURS)),
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "little-endian strips": {},
    "big-endian strips": {"order": ">"},
    "BigTIFF": {"is_big": True},
    "big-endian BigTIFF": {"is_big": True, "order": ">"},
    "tiles": {"tile": 16},
    "planes": {"is_planar": True},
    "planes in tiles": {"is_planar": True, "tile": 16, "order": ">"},
    "zipped": {"zipped": True},
    "zipped differences": {"zipped": True, "predicted": True},
    "zipped differences in tiles, big-endian": {"zipped": True, "predicted": True, "tile": 16, "order": ">"},
    "zipped differences of planes": {"zipped": True, "predicted": True, "is_planar": True},
}
TYPES = ("u1", "u2", "u4", "i1", "i2", "f4", "f8")


def _samples(shares: Picture, kind: str) -> np.ndarray[Any, Any]:
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        return shares.astype(dtype)
    return np.rint(shares * np.iinfo(dtype).max).astype(dtype)


def _cases() -> Iterator[Any]:
    for kind, layout, dtype in itertools.product(KINDS, LAYOUTS, TYPES):
        yield pytest.param(kind, layout, dtype, id=f"{kind}-{layout}-{dtype}".replace(" ", "_"))


@pytest.mark.parametrize(("kind", "layout", "dtype"), list(_cases()))
def test_shows_every_kind_in_every_layout(kind: str, layout: str, dtype: str) -> None:
    """The picture is the one whose samples were stored, within what 7 bits of a signed byte hold."""
    shares, photometric, extras, shown = KINDS[kind]
    source = tiff_of(_samples(shares, dtype), photometric, extras=extras, **LAYOUTS[layout])
    made = on_white(source)
    if dtype.startswith("f") and photometric == 2:
        shown = _shown(_encoded(COLOURS), ALPHA if extras[:1] in {(1,), (2,)} else 1.0)
    tolerance = {"u1": 8 if 1 in extras else 1.5, "i1": 16 if 1 in extras else 4}.get(dtype, 1.5)
    assert np.abs(made - shown).max() <= tolerance


def _encoded(light: Picture) -> Picture:
    """Linear light in the steps of sRGB (IEC 61966-2-1): floating-point RGB is light."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", [0, 1, 2])
@pytest.mark.parametrize("bits", list(range(1, 17)))
def test_white_is_the_highest_number_of_any_bits(bits: int, photometric: int, order: str) -> None:
    """Samples of 1 to 16 bits follow each other without gaps."""
    shares = COLOURS if photometric == 2 else GREY
    numbers = np.rint(shares * (2**bits - 1))
    stored = 2**bits - 1 - numbers if photometric == 0 else numbers
    packed = packed_bits(stored, bits) if bits != 16 else stored.astype(f"{order}u2").tobytes()
    count = shares.shape[2]
    tags: Tags = {256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 258: ("H", [bits] * count), 259: ("H", [1])}
    tags |= {262: ("H", [photometric]), 277: ("H", [count]), 278: ("I", [HEIGHT])}
    made = on_white(pages_of((tags, [packed]), order=order))
    assert np.abs(made - _shown(numbers / (2**bits - 1))).max() <= 1.5


@pytest.mark.parametrize("wide", [True, False], ids=["16-bit map", "8-bit map"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_reads_colour_maps_of_both_widths(bits: int, wide: bool) -> None:
    """Maps should have 16 bits a channel; some programs write 8, which must not become black."""
    count = 2**bits
    channels = [np.linspace(255, 0, count).round(), np.linspace(0, 255, count).round(), np.full(count, 90)]
    numbers = np.rint(GREY * (count - 1)).astype(int)
    stored = packed_bits(numbers, bits) if bits < 16 else numbers.astype("<u2").tobytes()
    tags: Tags = {256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 258: ("H", [bits]), 259: ("H", [1]), 262: ("H", [3])}
    tags |= {277: ("H", [1]), 278: ("I", [HEIGHT])}
    tags[320] = ("H", [int(value) * (257 if wide else 1) for value in np.concatenate(channels)])
    made = on_white(pages_of((tags, [stored])))
    assert np.abs(made - np.stack(channels, axis=1)[numbers[..., 0]]).max() <= 1


@pytest.mark.parametrize(
    ("brightest", "kind", "white"),
    [
        pytest.param(1.0, "f4", 1, id="float-to-1"),
        pytest.param(1.7, "f4", 1, id="float-beyond-1"),
        pytest.param(255, "f4", 255, id="float-to-255"),
        pytest.param(65535, "f4", 65535, id="float-to-65535"),
        pytest.param(255, "u4", 255, id="32-bit-to-255"),
        pytest.param(65535, "u4", 65535, id="32-bit-to-65535"),
        pytest.param(2**32 - 1, "u4", 2**32 - 1, id="32-bit-whole"),
        pytest.param(90_000, "u4", 90_000, id="32-bit-to-90000"),
    ],
)
def test_the_brightest_wide_sample_tells_what_white_is(brightest: float, kind: str, white: float) -> None:
    """Samples of 32 bits and floating point do not say what is white."""
    made = on_white(tiff_of((GREY * brightest).astype(kind), 1))
    assert np.abs(made - _shown(np.clip(GREY * brightest / white, 0, 1))).max() <= 1.5


def test_takes_infinite_and_missing_samples_for_white_and_black() -> None:
    """Scientific programs store them where a sensor saw too much or nothing."""
    samples = GREY.astype("f4")
    samples[0, 0], samples[0, 1] = np.inf, np.nan
    made = on_white(tiff_of(samples, 1))
    assert (made[0, 0] == 255).all()
    assert (made[0, 1] == 0).all()


LAB = {(53.24, 80.09, 67.2): (255, 0, 0), (87.73, -86.18, 83.18): (0, 255, 0), (53.59, 0, 0): (128, 128, 128)}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", [8, 9], ids=["CIE Lab", "ICC Lab"])
@pytest.mark.parametrize(("lab", "shown"), list(LAB.items()), ids=str)
def test_reads_lab_of_16_bits(
    lab: tuple[float, float, float], shown: tuple[int, int, int], photometric: int, order: str
) -> None:
    """Its colours are those of sRGB with the same white."""
    middle = 32768 if photometric == 9 else 0
    numbers = [round(lab[0] * 655.35), *(round(hue * 256 + middle) & 65535 for hue in lab[1:])]
    samples = np.broadcast_to(np.array(numbers, "u2"), (HEIGHT, WIDTH, 3))
    assert np.abs(on_white(tiff_of(samples, photometric, order=order)) - shown).max() <= 3


@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_lab_may_call_its_samples_signed(dtype: str) -> None:
    """L is not, although libvips writes so."""
    lab = (87.73, -86.18, 83.18)
    numbers = [
        round(lab[0] * (655.35 if dtype == "i2" else 2.55)),
        *(round(hue * (256 if dtype == "i2" else 1)) for hue in lab[1:]),
    ]
    samples = np.broadcast_to(np.array(numbers).astype(dtype), (HEIGHT, WIDTH, 3))
    assert np.abs(on_white(tiff_of(samples, 8)) - LAB[lab]).max() <= 8


@pytest.mark.parametrize("extra", [1, 2], ids=["associated", "unassociated"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_reads_cmyk_with_transparency(dtype: str, extra: int) -> None:
    """A product cut out for print: no ink is white, all inks are dark, clear is white."""
    inks = np.zeros((HEIGHT, WIDTH, 5))
    inks[:, :8] = 0, 0, 0, 0, 1
    inks[:, 8:16] = 1, 1, 1, 1, 1
    inks[:, 16:] = 0, 0, 0, 0, 0
    made = on_white(tiff_of(_samples(inks, dtype), 5, extras=(extra,)))
    assert made[:, :8].min() == 255
    assert made[:, 8:16].max() < 40
    assert made[:, 16:].min() == 255


ODD_TAGS: dict[str, Tags] = {
    "more bits than samples": {258: ("H", [8] * 5)},
    "bits once for all": {258: ("H", [8])},
    "a sample format of junk": {339: ("H", [50048])},
    "sizes of nothing": {279: ("I", [0])},
    "rows beyond the picture": {278: ("I", [2**32 - 1])},
}


@pytest.mark.parametrize("name", ODD_TAGS)
@pytest.mark.parametrize("planar", [False, True], ids=["pixels", "planes"])
def test_odd_tags_of_real_files_are_understood(name: str, planar: bool) -> None:
    """Other viewers show such files."""
    rows = HEIGHT if 278 in ODD_TAGS[name] else 7
    source = tiff_of(_samples(COLOURS, "u1"), 2, is_planar=planar, rows=rows, tags=ODD_TAGS[name])
    assert np.abs(on_white(source) - _shown(COLOURS)).max() <= 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_reads_subsampled_colours_without_compression(across: int, down: int, order: str) -> None:
    """A block of brightness is followed by its two colours; Pillow takes three bytes for each pixel."""
    flat = Image.new("RGB", (WIDTH, HEIGHT), (200, 90, 40))
    block = [channel.tobytes()[0] for channel in flat.convert("YCbCr").split()]
    blocks = bytes([block[0]] * across * down + block[1:]) * (HEIGHT * WIDTH // across // down)
    tags: Tags = {256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 258: ("H", [8] * 3), 259: ("H", [1]), 262: ("H", [6])}
    tags |= {277: ("H", [3]), 278: ("I", [HEIGHT]), 530: ("H", [across, down])}
    made = on_white(pages_of((tags, [blocks]), order=order))
    assert np.abs(made - (200, 90, 40)).max() <= 3


# Pages


def _flat(level: int, side: int, **tags: int) -> Any:
    samples = np.full((side, side, 3), level, "u1")
    return page_of(samples, 2, tags={int(tag[1:]): ("I", [value]) for tag, value in tags.items()})


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([_flat(9, 8, t254=1), _flat(200, 32)], id="thumbnail-first"),
        pytest.param([_flat(9, 8, t255=2), _flat(200, 32)], id="thumbnail-first-by-the-old-tag"),
        pytest.param([_flat(9, 8, t254=1), _flat(9, 16, t254=1), _flat(200, 32)], id="two-thumbnails-first"),
        pytest.param([_flat(9, 32, t254=4), _flat(200, 32)], id="mask-first"),
        pytest.param([_flat(200, 32), _flat(9, 8, t254=1)], id="thumbnail-last"),
        pytest.param([_flat(200, 32), _flat(9, 64)], id="two-pages"),
        pytest.param([_flat(200, 32, t254=2), _flat(9, 64, t254=2)], id="pages-of-a-document"),
        pytest.param([_flat(200, 32, t254=1)], id="marked-as-reduced-but-alone"),
    ],
)
@pytest.mark.parametrize("is_big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("order", "<>")
def test_never_takes_a_thumbnail_for_the_picture(pages: list[Any], order: str, is_big: bool) -> None:
    """The first page that is neither a thumbnail nor a mask is shown."""
    made = on_white(pages_of(*pages, order=order, is_big=is_big))
    assert made.shape == (32, 32, 3)
    assert (made == 200).all()


# Refusals

NAMED = {
    "JPEG 2000": {259: 34712},
    "WebP": {259: 50001},
    "JPEG XL": {259: 50002},
    "LERC": {259: 34887},
    "JBIG": {259: 34661},
    "a JPEG of 12 bits": {259: 7, 258: 12},
    "complex": {339: 6},
    "32 bits": {339: 2, 258: 32, 262: 8},
    "LogLuv": {262: 32845},
    "inks other than CMYK": {262: 5, 332: 2},
    "compression 12345": {259: 12345},
}


@pytest.mark.parametrize("name", NAMED)
def test_names_a_kind_that_is_not_read(name: str) -> None:
    """The error says what the file holds, and what to do."""
    count = 4 if NAMED[name].get(262) == 5 else 3
    samples = np.zeros((HEIGHT, WIDTH, count), "u1")
    tags = {tag: ("H", [value] * (count if tag in {258, 339} else 1)) for tag, value in NAMED[name].items()}
    error = refused(tiff_of(samples, 2, tags=tags))
    assert error.code == "unsupported_format"
    assert name in error.detail or name == "32 bits"
    assert "export it" in error.detail


def test_refuses_negative_samples() -> None:
    """Heights and temperatures are no picture."""
    error = refused(tiff_of(np.linspace(-300, 300, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1).astype("i2"), 1))
    assert error.code == "unsupported_format"
    assert "negative" in error.detail


RAW = {
    "DNG": ([_flat(9, 8, t254=1, t50706=1)], b""),
    "CR2": ([_flat(9, 8)], b"CR\2\0"),
    "TIFF": ([_flat(9, 8, t262=32803)], b""),
}


@pytest.mark.parametrize("name", RAW)
def test_refuses_raw_camera_files(name: str) -> None:
    """Their first page is a preview, so they must not be shown."""
    pages, mark = RAW[name]
    source = pages_of(*pages)
    if mark:  # The mark lies between the header and the first page.
        place = struct.unpack_from("<I", source, 4)[0]
        source = source[:4] + struct.pack("<I", len(source)) + mark + source[12:] + source[place:]
    error = refused(source)
    assert error.code == "unsupported_format"
    assert f"raw camera file ({name})" in error.detail
    assert "JPEG" in error.detail


def test_refuses_a_raw_file_whose_sensor_is_in_a_page_of_its_own() -> None:
    """Nikon and Sony begin with a preview; the sensor's samples are in a SubIFD."""
    source = pages_of(_flat(9, 8, t254=1, t330=0), _flat(9, 8, t262=32803))
    first = struct.unpack_from("<I", source, 4)[0]
    entries = struct.unpack_from("<H", source, first)[0]
    second = struct.unpack_from("<I", source, first + 2 + 12 * entries)[0]
    place = source.index(struct.pack("<HHI", 330, 4, 1), first) + 8
    changed = bytearray(source)
    changed[place : place + 4] = struct.pack("<I", second)
    changed[first + 2 + 12 * entries : first + 6 + 12 * entries] = bytes(4)
    assert "raw camera file" in refused(bytes(changed)).detail


@pytest.mark.parametrize("compression", ["tiff_ccitt", "group3", "group4"])
def test_shows_whole_fax_data(compression: str) -> None:
    """Black text on white stays as it is."""
    picture = Image.fromarray(((ROWS // 3 + COLUMNS // 5) % 2 * 255).astype(np.uint8)).convert("1")
    made = on_white(encode(picture, "TIFF", compression=compression))
    assert (made == np.asarray(picture.convert("RGB"))).all()


@pytest.mark.parametrize("compression", ["tiff_ccitt", "group3", "group4"])
def test_refuses_damaged_fax_data_in_silence(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    """libtiff would show what comes, and write a line for each damaged row to stderr."""
    picture = Image.fromarray(((np.add.outer(np.arange(400) // 7, np.arange(300) // 5) % 2) * 255).astype(np.uint8))
    source = bytearray(encode(picture.convert("1"), "TIFF", compression=compression))
    for place in range(150, len(source) - 300, 31):
        source[place] ^= 0x5A
    assert refused(bytes(source)).code == "corrupt_image"
    assert capfd.readouterr().err == ""


def test_writes_nothing_to_stderr_for_other_damage(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages of libtiff inside Pillow are silenced too."""
    source = bytearray(encode(Image.effect_noise((300, 300), 60), "TIFF", compression="tiff_lzw"))
    source[400:4000] = bytes(3600)
    assert refused(bytes(source)).code in {"corrupt_image", "truncated_image"}
    assert capfd.readouterr().err == ""


def test_a_later_page_of_a_refused_kind_does_not_refuse_the_picture() -> None:
    """With smart quality pages were counted, although no TIFF is kept."""
    picture = page_of(np.full((HEIGHT, WIDTH, 3), 90, "u1"), 2)
    mask = page_of(np.full((HEIGHT, WIDTH, 1), 1, "u1"), 4)
    options = CompressOptions(quality="smart", format="png", larger="source", scale=1.0)
    assert compress(pages_of(picture, mask), options=options, max_pixels=10**6).output.format == "png"
