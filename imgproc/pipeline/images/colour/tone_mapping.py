"""Tone-maps HDR pictures (PQ and HLG, ITU-R BT.2100) to sRGB, as Chromium shows them on an ordinary display.

Diffuse white (203 nits) and all below keeps its contrast at half the light of the display, or at more where the picture
has little above it. The highlights share the other half along a Bézier curve (SMPTE ST 2094-50, reference white tone
mapping). The gain of a pixel follows from the largest of its linear BT.2020 components, so hues stay.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageFilter

from imgproc.pipeline.images.colour.colour_spaces import (
    BT2020_PRIMARIES,
    HLG,
    SRGB_PRIMARIES,
    ColourSpace,
    inverse,
    product,
    to_xyz,
)

GRID = 65  # points along each side of the table; 33 lose up to 10 levels of 255 where colours leave the gamut
WHITE = 203.0  # nits of diffuse white (ITU-R BT.2408)
HLG_PEAK = 1000.0  # nits that a scene of 1 gives
FULL_HEADROOM = HLG_PEAK / WHITE  # from this peak on, diffuse white gets half the light
BEND = 0.65  # how far along its tangent the curve of the highlights is pulled
BT2020_LUMINANCE = (0.2627, 0.6780, 0.0593)
SIGNED = 1.99  # the largest entry of a table; values out of gamut stay in it, so that interpolation meets no edge


def tone_mapping(space: ColourSpace) -> Callable[[Image.Image], Image.Image]:
    """How to convert RGB or RGBA of an HDR colour space to sRGB."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # Otherwise it reserves 40 MB a core.
    import numpy as np  # noqa: PLC0415 - most workers never need it or its memory

    axis = np.linspace(0, 1, GRID)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    colours = _convert(np, np.stack([red, green, blue], axis=-1), space)
    _straighten_greys(np, colours)
    entries = np.clip(colours, -SIGNED, SIGNED).astype(np.float32)
    table = ImageFilter.Color3DLUT(GRID, entries.reshape(-1), _copy_table=False)
    return lambda image: image.filter(table)


def _straighten_greys(np: Any, colours: Any) -> None:
    """Move the colours beside the greys, so that a grey between two points of the grid depends on these two only.

    It is interpolated from eight points: these two, three colours with one sample of the upper grey, and three with
    two. The mean of each three is moved to a third or two thirds of the way from the lower grey to the upper.
    """
    low = np.arange(GRID - 1)
    high = low + 1
    for share, places in (
        (1 / 3, [(high, low, low), (low, high, low), (low, low, high)]),
        (2 / 3, [(low, high, high), (high, low, high), (high, high, low)]),
    ):
        right = (1 - share) * colours[low, low, low] + share * colours[high, high, high]
        shift = right - sum(colours[place] for place in places) / 3
        for place in places:
            colours[place] += shift


def _convert(np: Any, samples: Any, space: ColourSpace) -> Any:
    """Samples from 0 to 1 to sRGB, which is below 0 or above 1 where it is out of gamut."""
    samples = _to_full(np, samples, space.luma) if space.luma else samples
    linear = _hlg(np, samples) if space.curve == HLG else _pq(np, samples)
    linear = linear @ np.array(product(inverse(to_xyz(BT2020_PRIMARIES)), to_xyz(space.primaries))).T
    if space.curve == HLG:  # The system gamma of a display of that peak.
        luminance = np.maximum(linear @ np.array(BT2020_LUMINANCE), 1e-9)[..., None]
        linear = linear * luminance**0.2 * (HLG_PEAK / WHITE)
    linear = linear * _gain(np, linear.max(axis=-1), space.peak / WHITE)[..., None]
    linear = linear @ np.array(product(inverse(to_xyz(SRGB_PRIMARIES)), to_xyz(BT2020_PRIMARIES))).T
    return _srgb(np, linear)


def _to_full(np: Any, samples: Any, luma: tuple[float, ...]) -> Any:
    """Samples of limited range, from 16 to 235 of 255 and colours from 16 to 240, to those of full range."""
    light = (samples @ np.array(luma))[..., None]
    return np.clip((samples - light) * (255 / 224) + (light - 16 / 255) * (255 / 219), 0, 1)


def _pq(np: Any, samples: Any) -> Any:
    """Light in units of diffuse white (SMPTE ST 2084)."""
    power = samples ** (4096 / 2523 / 128)
    light = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return light ** (16384 / 2610) * (10000 / WHITE)


def _hlg(np: Any, samples: Any) -> Any:
    """Light of the scene from 0 to 1 (ARIB STD-B67)."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * math.log(4 * a)
    return np.where(samples <= 0.5, samples**2 / 3, (np.exp((samples - c) / a) + b) / 12)


def _gain(np: Any, brightest: Any, peak: float) -> Any:
    """The factor on a pixel whose largest component is `brightest`, in units of diffuse white."""
    if peak <= 1:
        return np.ones_like(brightest)
    white = 1 - 0.5 * min(math.log(peak) / math.log(FULL_HEADROOM), 1)
    middle = (1 - BEND + BEND / white, (1 - BEND) * white + BEND)  # between the knee (1, white) and the end (peak, 1)
    squared, doubled = 1 - 2 * middle[0] + peak, middle[0] - 1
    bright = np.clip(brightest, 1, peak)
    along = (np.sqrt(doubled**2 + squared * (bright - 1)) - doubled) / squared
    light = white + 2 * along * (middle[1] - white) + along**2 * (white - 2 * middle[1] + 1)
    return np.where(brightest <= 1, white, light / np.maximum(brightest, 1))


def _srgb(np: Any, linear: Any) -> Any:
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.sign(linear) * encoded
