"""Makes the picture of a TIFF from its samples: 8 bits a channel, transparency not premultiplied.

It works on slices of rows, so that no step needs a copy of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgproc.pipeline.images.colour.colours import to_srgb
from imgproc.pipeline.images.colour.press_profile import press_profile
from imgproc.pipeline.images.tiff.tiff_chunks import Samples, chunks
from imgproc.pipeline.images.tiff.tiff_layout import (
    CIELAB,
    CMYK,
    COLOURS,
    ICCLAB,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    Layout,
    refusal,
)

SLICE_PIXELS = 256 * 1024
BRIGHTEST_LIGHT = 16  # Floating-point samples up to this are light, of which 1 is white; more is a wider scale.
LIGHT_STEPS = 65535
D65 = np.array([0.95047, 1.0, 1.08883], np.float32)
XYZ_TO_SRGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]],
    np.float32,
)
Bytes = npt.NDArray[np.uint8]


def read_picture(source: bytes, layout: Layout, *, profile: bytes | None) -> Image.Image:
    """Decode the page, in the mode of the layout. CMYK with transparency becomes RGBA, by its profile.

    Raises:
        CompressError: `unsupported_format`, for samples that are measurements.
        OSError, ValueError, zlib.error: data is missing or damaged.
    """
    with np.errstate(all="ignore"):  # Samples may be infinite or no numbers.
        return _read(source, layout, profile)


def _read(source: bytes, layout: Layout, profile: bytes | None) -> Image.Image:
    white = _white(source, layout)
    mode = layout.mode
    picture = Image.new(mode, (layout.width, layout.height))
    colours = _colour_map(layout)
    light = layout.kind == "float" and layout.photometric == RGB and white == 1 and not profile
    for left, top, samples in _slices(source, layout):
        channels = _channels(samples, layout, white, light=light)
        if colours is not None:
            alpha = channels[..., COLOURS[PALETTE] :]
            channels = np.concatenate([colours[samples[..., 0]], alpha], axis=2)
        picture.paste(_image(channels, layout, mode, profile), (left, top))
    return picture


def _slices(source: bytes, layout: Layout) -> Iterator[tuple[int, int, Samples]]:
    for left, top, samples in chunks(source, layout):
        rows = max(1, SLICE_PIXELS // samples.shape[1])
        for row in range(0, samples.shape[0], rows):
            yield left, top + row, samples[row : row + rows]


def _white(source: bytes, layout: Layout) -> float:
    """The sample value of white.

    Up to 24 bits it is the highest one. Wider samples do not say what they mean, so the brightest one decides.
    """
    highest = float((1 << (layout.bits - (layout.kind == "int"))) - 1)
    if layout.kind == "uint" and layout.bits <= 24:
        return highest
    brightest = 0.0
    for _, _, samples in _slices(source, layout):
        colours = samples[..., : COLOURS[layout.photometric]]
        known = colours[np.isfinite(colours)] if layout.kind == "float" else colours
        if layout.kind == "int" and known.min(initial=0) < 0:
            raise refusal("has negative samples: measurements, not a picture")
        brightest = max(brightest, float(known.max(initial=0)))
    if layout.kind == "float":
        usual = [1.0] if brightest <= BRIGHTEST_LIGHT else [255.0, 65535.0]
        return next((value for value in usual if brightest <= value or value == 1), brightest)
    usual = [value for value in (1.0, 255.0, 65535.0) if value < highest]
    return next((value for value in usual if brightest <= value), highest if brightest > highest / 256 else brightest)


def _channels(samples: Samples, layout: Layout, white: float, *, light: bool) -> Bytes:
    """The colours and, where there is one, the transparency, in 8 bits."""
    count = COLOURS[layout.photometric]
    colours = samples[..., :count]
    if layout.alpha is None:
        return _eight_bits(colours, layout, white, light=light)
    alpha = samples[..., layout.alpha : layout.alpha + 1]
    if layout.is_associated:
        share = np.maximum(alpha.astype(np.float32), np.float32(1e-6)) / np.float32(white)
        apart = np.minimum(colours / share, white)
        colours = apart if layout.kind == "float" else np.rint(apart).astype(samples.dtype)
    return np.concatenate([_eight_bits(colours, layout, white, light=light), _scaled(alpha, white)], axis=2)


def _eight_bits(samples: Samples, layout: Layout, white: float, *, light: bool) -> Bytes:
    if layout.photometric == PALETTE and layout.alpha is None:
        return samples[..., :0].astype(np.uint8)  # The colour map makes the colours.
    if layout.photometric in {CIELAB, ICCLAB} and samples.shape[2] > 1:
        return _from_lab(samples, layout)
    if light:
        return _displayed(_shares(samples, white))
    whole = _scaled(samples, white)
    return 255 - whole if layout.photometric == WHITE_IS_ZERO else whole


def _scaled(samples: Samples, white: float) -> Bytes:
    """Samples scaled to 0 to 255, where 255 is `white`."""
    if samples.dtype == np.uint8 and white == 255:
        return samples  # type: ignore[return-value]  # the dtype says so
    if samples.dtype == np.uint16 and white == 65535:
        high: Bytes = ((samples.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return high
    whole: Bytes = (_shares(samples, white) * 255 + np.float32(0.5)).astype(np.uint8)
    return whole


def _shares(samples: Samples, white: float) -> npt.NDArray[np.float32]:
    """Samples scaled to 0 to 1, where 1 is `white`."""
    known = np.nan_to_num(samples.astype(np.float32), posinf=white, neginf=0)
    shares: npt.NDArray[np.float32] = np.clip(known / np.float32(white), 0, 1)
    return shares


def _from_lab(samples: Samples, layout: Layout) -> Bytes:
    """Lab as sRGB, its white as D65, as libvips takes it (TIFF 6.0, section 23; ICC Lab has no negative numbers)."""
    unit = 1 << (layout.bits - 8)
    lightness = samples[..., 0].astype(np.float32) / np.float32(255 * unit + unit - 1) * 100
    if layout.photometric == ICCLAB:
        hues = samples[..., 1:].astype(np.float32) / unit - 128
    else:
        hues = samples[..., 1:].astype(f"i{layout.bits // 8}").astype(np.float32) / unit
    middle = (lightness + 16) / 116
    roots = np.stack([middle + hues[..., 0] / 500, middle, middle - hues[..., 1] / 200], axis=2)
    xyz = np.where(roots > 6 / 29, roots**3, (roots - 4 / 29) * (3 * (6 / 29) ** 2)) * D65
    light = np.clip(xyz @ XYZ_TO_SRGB.T, 0, 1)
    return _displayed(light)


def _displayed(light: npt.NDArray[np.float32]) -> Bytes:
    """Linear light from 0 to 1 in the steps of sRGB (IEC 61966-2-1), by a table, because powers take long."""
    steps: Bytes = _srgb_steps()[(light * np.float32(LIGHT_STEPS) + np.float32(0.5)).astype(np.uint16)]
    return steps


@cache
def _srgb_steps() -> Bytes:
    light = np.arange(LIGHT_STEPS + 1) / LIGHT_STEPS
    share = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    steps: Bytes = np.rint(share * 255).astype(np.uint8)
    return steps


def _colour_map(layout: Layout) -> Bytes | None:
    """The colours by number. Maps should have 16 bits a channel; some programs write 8."""
    if layout.photometric != PALETTE:
        return None
    values = np.array(layout.colour_map[: 3 << layout.bits], np.uint16).reshape(3, -1).T
    colours: Bytes = (values if values.max() < 256 else values >> 8).astype(np.uint8)
    return colours


def _image(channels: Bytes, layout: Layout, mode: str, profile: bytes | None) -> Image.Image:
    """A slice in the picture's mode; CMYK with transparency becomes RGBA."""
    size = (channels.shape[1], channels.shape[0])
    if not layout.is_converted or layout.photometric != CMYK:
        return Image.frombytes(mode, size, np.ascontiguousarray(channels).tobytes())
    count = COLOURS[CMYK]
    inks = Image.frombytes("CMYK", size, np.ascontiguousarray(channels[..., :count]).tobytes())
    rgb = to_srgb(inks, meaning=profile or press_profile())
    rgb.putalpha(Image.frombytes("L", size, np.ascontiguousarray(channels[..., count]).tobytes()))
    return rgb
