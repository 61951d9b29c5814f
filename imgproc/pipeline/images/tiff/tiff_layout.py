"""How the samples of a TIFF's page lie in the file, and whether Pillow reads them as they are meant.

Pillow takes many kinds for others: 16-bit WhiteIsZero for a negative, planes of 16 bits for 8, colour maps of 8 bits
for black. Those are read by tiff_picture.py. Kinds that neither reads are refused by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.other_kinds import EXPORT

# Tags (TIFF 6.0, section 8).
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_PLACES, SAMPLES, STRIP_ROWS, STRIP_SIZES, PLANAR, T4_OPTIONS, T6_OPTIONS = 273, 277, 278, 279, 284, 292, 293
PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_PLACES, TILE_SIZES = 317, 320, 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT = 332, 338, 339

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, CIELAB: 3, ICCLAB: 3}  # samples of each
FAX = {2, 3, 4}
UNCOMPRESSED, LZW, JPEG, ZLIB, PACKBITS = 1, 5, 7, {8, 32946}, 32773
OLD_JPEG, LZMA, ZSTD = 6, 34925, 50000
BY_LIBTIFF = {LZW, PACKBITS, LZMA, ZSTD}
PLAIN_BITS = {(8,), (1,), (2,), (4,)}
ASSOCIATED, UNASSOCIATED = 1, 2
MAX_CHUNKS = 30_000  # strips or tiles; a strip a row is usual, and reading one takes a tenth of a millisecond
MAX_FAX_SIDE = 65_535  # libtiff words a complaint for each damaged row
MAX_SAMPLES = 32

NAMES = {
    9: "JBIG", 10: "JBIG", 32766: "NeXT compression", 32771: "CCITT run lengths", 32809: "ThunderScan compression",
    32908: "PixarFilm compression", 32909: "PixarLog compression", 33003: "a JPEG 2000 picture",
    33004: "a JPEG 2000 picture", 33005: "a JPEG 2000 picture", 34661: "JBIG", 34663: "JBIG2",
    34676: "LogLuv samples", 34677: "LogLuv samples", 34712: "a JPEG 2000 picture", 34887: "LERC compression",
    34892: "a lossy DNG picture", 34933: "a PNG picture", 34934: "a JPEG XR picture", 22610: "a JPEG XR picture",
    50001: "a WebP picture", 34927: "a WebP picture", 50002: "a JPEG XL picture", 52546: "a JPEG XL picture",
}  # fmt: skip
PHOTOMETRICS = {MASK: "a mask", 10: "ITU Lab colours", 32844: "LogL samples", 32845: "LogLuv samples"}
KINDS = {1: "uint", 2: "int", 3: "float", 4: "uint"}


@dataclass(frozen=True)
class Layout:
    """The page: sides in pixels, samples a pixel and their bits and kind, and the strips or tiles (both are chunks)."""

    width: int
    height: int
    photometric: int
    bits: int
    kind: str
    samples: int
    order: str  # of bytes, for struct and numpy
    is_planar: bool
    compression: int
    predictor: int
    fill_order: int
    fax_options: int
    chunk_width: int
    chunk_height: int
    places: tuple[int, ...]
    sizes: tuple[int, ...]
    is_tiled: bool
    alpha: int | None  # its sample
    is_associated: bool
    colour_map: tuple[int, ...]

    @property
    def across(self) -> int:
        """The number of chunks side by side."""
        return math.ceil(self.width / self.chunk_width)

    @property
    def down(self) -> int:
        """The number of chunks one below the other."""
        return math.ceil(self.height / self.chunk_height)

    @property
    def mode(self) -> str:
        """The mode of the picture that comes out."""
        colours = COLOURS[self.photometric]
        if self.alpha is not None:
            return "LA" if colours == 1 and self.photometric != PALETTE else "RGBA"
        return "CMYK" if self.photometric == CMYK else "L" if colours == 1 and self.photometric != PALETTE else "RGB"

    @property
    def is_converted(self) -> bool:
        """Whether reading converts it to sRGB: no mode of Pillow holds CMYK with transparency, or Lab of 16 bits."""
        return self.photometric in {CIELAB, ICCLAB} or (self.photometric == CMYK and self.alpha is not None)

    @property
    def decoded_bytes(self) -> int:
        """The bytes of all samples, for the time that reading them takes."""
        return self.width * self.height * self.samples * math.ceil(self.bits / 8)

    @property
    def needed_bytes(self) -> int:
        """The most memory that reading takes: the picture, one row of chunks' planes twice, and slices of them."""
        chunk = self.chunk_width * self.chunk_height * self.samples * max(1, self.bits / 8)
        return int(self.width * self.height * len(self.mode) + 2 * chunk + (16 << 20))


def own_layout(tags: Any, *, prefix: bytes) -> Layout | None:
    """The layout of a page that Pillow does not read as it is meant; None where it does.

    Raises:
        CompressError: `unsupported_format`, for kinds that are not read.
    """
    compression = tags.get(COMPRESSION, 1)
    bits = _all(tags, BITS, (1,))
    _refuse_compressions(compression, bits)
    photometric = tags.get(PHOTOMETRIC, WHITE_IS_ZERO)
    samples = tags.get(SAMPLES, 1)
    bits = bits[:samples]  # Some programs write more.
    if photometric in PHOTOMETRICS:
        raise refusal(f"has {PHOTOMETRICS[photometric]}")
    if photometric == CMYK and tags.get(INK_SET, 1) != 1:
        raise refusal("has inks other than CMYK")
    is_ours = compression == UNCOMPRESSED or compression in BY_LIBTIFF | ZLIB | FAX
    if not is_ours or photometric not in COLOURS or _is_plain(tags, photometric, bits, samples):
        return None
    if PHOTOMETRIC not in tags and samples >= COLOURS[RGB]:
        photometric = RGB
    return _layout(tags, photometric, bits, samples, order="<" if prefix == b"II" else ">")


def refusal(what: str) -> CompressError:
    """The error of a kind that is not read."""
    return CompressError(f"The TIFF {what}, which is not supported; {EXPORT}.", code="unsupported_format")


def _refuse_compressions(compression: int, bits: tuple[int, ...]) -> None:
    if compression in NAMES:
        raise refusal(
            f"holds {NAMES[compression]}" if " picture" in NAMES[compression] else f"has {NAMES[compression]}"
        )
    if compression in {OLD_JPEG, JPEG} and max(bits) > 8:
        raise refusal(f"holds a JPEG of {max(bits)} bits")
    if compression not in {UNCOMPRESSED, OLD_JPEG, JPEG} | BY_LIBTIFF | ZLIB | FAX:
        raise refusal(f"has compression {compression}")


def _is_plain(tags: Any, photometric: int, bits: tuple[int, ...], samples: int) -> bool:
    """Whether this is one of the usual kinds of 8 bits or less, or of 16 bits in RGB, that Pillow reads rightly."""
    extras = _all(tags, EXTRA_SAMPLES, ())
    if tags.get(COMPRESSION, 1) in FAX or set(_all(tags, SAMPLE_FORMAT, (1,))) != {1} or PHOTOMETRIC not in tags:
        return False
    if tags.get(PLANAR, 1) != 1 or len(set(bits)) != 1 or len(bits) != samples:
        return False
    if photometric == PALETTE:
        return False
    if photometric in {WHITE_IS_ZERO, BLACK_IS_ZERO}:
        return samples == 1 and bits[0] in {1, 2, 4, 8}
    usual = {RGB: ((), (0,), (2,)), CMYK: ((),), CIELAB: ((),)}.get(photometric, ())
    is_whole = COLOURS[photometric] + len(extras) == samples
    return extras in usual and is_whole and (bits[0] == 8 or (bits[0] == 16 and photometric == RGB))


def _layout(tags: Any, photometric: int, bits: tuple[int, ...], samples: int, *, order: str) -> Layout:
    kind = _kind(tags, bits, photometric)
    if not COLOURS[photometric] <= samples <= MAX_SAMPLES:
        raise refusal(f"has {samples} samples a pixel")
    alpha, is_associated = _alpha(tags, COLOURS[photometric], samples)
    is_tiled = TILE_PLACES in tags or TILE_WIDTH in tags
    width, height = tags[WIDTH], tags[HEIGHT]
    chunk_width = tags.get(TILE_WIDTH, 0) if is_tiled else width
    chunk_height = tags.get(TILE_HEIGHT, 0) if is_tiled else min(tags.get(STRIP_ROWS, height), height)
    if min(width, height, chunk_width, chunk_height) < 1:
        raise ValueError("a side of no pixels")
    layout = Layout(
        width=width,
        height=height,
        photometric=photometric,
        bits=bits[0],
        kind=kind,
        samples=samples,
        order=order,
        is_planar=tags.get(PLANAR, 1) == 2 and samples > 1,
        compression=tags.get(COMPRESSION, 1),
        predictor=tags.get(PREDICTOR, 1),
        fill_order=tags.get(FILL_ORDER, 1),
        fax_options=tags.get(T4_OPTIONS if tags.get(COMPRESSION) == 3 else T6_OPTIONS, 0),
        chunk_width=chunk_width,
        chunk_height=chunk_height,
        places=_all(tags, TILE_PLACES if TILE_PLACES in tags else STRIP_PLACES, ()),
        sizes=_all(tags, TILE_SIZES if TILE_SIZES in tags else STRIP_SIZES, ()),
        is_tiled=is_tiled,
        alpha=alpha,
        is_associated=is_associated,
        colour_map=_all(tags, COLOUR_MAP, ()) if photometric == PALETTE else (),
    )
    _check(layout)
    return layout


def _alpha(tags: Any, colours: int, samples: int) -> tuple[int | None, bool]:
    """Which sample is the alpha, or None; and whether the colours are multiplied by it."""
    extras = _all(tags, EXTRA_SAMPLES, ())
    if EXTRA_SAMPLES not in tags and samples == colours + 1:
        extras = (UNASSOCIATED,)
    for sample, extra in zip(range(colours, samples), extras, strict=False):
        if extra in {ASSOCIATED, UNASSOCIATED}:
            return sample, extra == ASSOCIATED
    return None, False


def _kind(tags: Any, bits: tuple[int, ...], photometric: int) -> str:
    formats = _formats(tags)
    if photometric == CIELAB and formats <= {1, 2}:
        formats = {1}  # L is unsigned, and a and b are signed, whatever the tag says (TIFF 6.0, section 23).
    kind = KINDS.get(min(formats))
    if kind is None or len(formats) > 1:
        raise refusal("has complex samples" if formats & {5, 6} else "has samples of several kinds")
    usual = {"uint": {*range(1, 17), 24, 32, 64}, "int": {8, 16, 32, 64}, "float": {16, 32, 64}}
    if len(set(bits)) != 1 or bits[0] not in usual[kind]:
        raise refusal(f"has samples of {' and '.join(map(str, sorted(set(bits))))} bits")
    return kind


def _formats(tags: Any) -> set[int]:
    """The sample formats; some programs write junk, which means nothing."""
    return {kind for kind in _all(tags, SAMPLE_FORMAT, (1,)) if kind in range(1, 7)} or {1}


def _check(layout: Layout) -> None:
    planes = layout.samples if layout.is_planar else 1
    chunks = layout.across * layout.down * planes
    if chunks > MAX_CHUNKS or (layout.compression in FAX and layout.height > MAX_FAX_SIDE):
        raise refusal("has too many strips or tiles")
    if len(layout.places) < chunks:
        raise ValueError("strips or tiles are missing")
    if layout.compression in FAX and (layout.bits, layout.samples) != (1, 1):
        raise ValueError("fax data of more than one bit")
    if layout.photometric == PALETTE and (layout.bits > 16 or len(layout.colour_map) < 3 << layout.bits):
        raise ValueError("colours are missing in the colour map")
    if layout.photometric in {CIELAB, ICCLAB} and (layout.kind != "uint" or layout.bits not in {8, 16}):
        raise refusal(f"has Lab colours of {layout.bits} bits")


def _all(tags: Any, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """The values of a tag, of which Pillow gives a single one as a number."""
    values = tags.get(tag, default)
    return tuple(values) if isinstance(values, tuple) else (values,)
