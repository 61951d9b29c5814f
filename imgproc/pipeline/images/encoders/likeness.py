"""The visible difference of two pictures: structural dissimilarity (SSIM) over scales and channels.

It follows SSIMULACRA 2 (https://github.com/cloudinary/ssimulacra2): the map of errors, its constant, and pooling by the
4-norm, which weights the worst places. It uses blocks in place of Gaussian windows and Y'CbCr in place of XYB, so that
Pillow's loops do all the work. It leaves out the finest scale, where differences are least visible. The scales, blocks
and weights are those whose choices agreed best with SSIMULACRA 2: docs/explanation/performance.md.
"""

from __future__ import annotations

from typing import Any, cast

from PIL import Image, ImageChops, ImageFile, ImageMath

from imgproc.pipeline.images.colour.colours import flatten

Layers = tuple[Image.Image, ...]

SCALES = (1, 2)  # of the layers, which have half the size already
BLOCK = 4  # pixels a side, at each scale
WEIGHTS = (1.0, 0.13, 0.13, 1.0)  # of Y', Cb, Cr and transparency
STEADY = 0.0009 * 255**2  # the C2 of SSIM for samples up to 255; differences below this variance are invisible

_SAMPLES = [float(sample) for sample in range(256)]
_SQUARES = [float(sample * sample) for sample in range(256)]


def layers(image: Image.Image) -> Layers:
    """The channels that `distance` compares, at half the size. A JPEG not decoded yet is decoded at that size."""
    half = (-(-image.width // 2), -(-image.height // 2))
    if isinstance(image, ImageFile.ImageFile):
        image.draft("YCbCr", (max(1, image.width // 2), max(1, image.height // 2)))
        image.load()
    transparency = [image.getchannel("A")] if image.mode == "RGBA" else []
    colours = flatten(image)
    channels = [colours] if colours.mode == "L" else list(colours.convert("YCbCr").split())
    return tuple(each if each.size == half else each.reduce(2) for each in [*channels, *transparency])


def distance(one: Layers, other: Layers) -> float:
    """0 for equal pictures, more for others. A channel that only one of them has is left out."""
    total = 0.0
    for weight, first, second in zip(WEIGHTS, one, other, strict=False):
        for factor in SCALES:
            total += weight * _pooled(_errors(first.reduce(factor), second.reduce(factor)))
    return total


def _errors(one: Image.Image, other: Image.Image) -> Image.Image:
    """1 - SSIM of each block. The means are exact; the covariance follows from the variance of the difference."""
    means = {
        "x": one.point(_SAMPLES, "F"),
        "y": other.point(_SAMPLES, "F"),
        "xx": one.point(_SQUARES, "F"),
        "yy": other.point(_SQUARES, "F"),
        "dd": ImageChops.difference(one, other).point(_SQUARES, "F"),
    }
    blocks = {name: image.reduce(BLOCK) for name, image in means.items()}
    return cast("Image.Image", ImageMath.lambda_eval(_dissimilarity, **blocks))


def _dissimilarity(of: dict[str, Any]) -> Any:
    shift = of["x"] - of["y"]
    variances = of["xx"] - of["x"] * of["x"] + of["yy"] - of["y"] * of["y"]
    lightness = 1 - shift * shift / 255**2
    structure = 1 - (of["dd"] - shift * shift) / (variances + STEADY)
    return 1 - lightness * structure


def _pooled(errors: Image.Image) -> float:
    fourth = ImageMath.lambda_eval(lambda of: of["e"] * of["e"] * of["e"] * of["e"], e=errors)
    mean = cast("float", fourth.reduce(fourth.size).getpixel((0, 0)))
    return float(max(0.0, mean) ** 0.25)
