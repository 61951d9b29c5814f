"""Pictures for the tests of `compress`: real photographs, encoded on the spot, and ICC profiles built by hand."""

from __future__ import annotations

import io
import struct
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# Colorants adapted to D50, as the published profiles hold them: X, Y, Z of red, green and blue.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PHOTOGRAPHS = Path(str(distribution("scikit-image").locate_file("skimage/data")))  # its import loads SciPy
FORMATS = {"jpg": "JPEG"}  # by extension, where the two differ
GAMMA = 563 / 256  # 2.2 as a u8Fixed8Number


def photo(name: str) -> Image.Image:
    """One of scikit-image's bundled photographs, such as astronaut, coffee, chelsea or rocket."""
    return _photo(name).copy()


@cache
def _photo(name: str) -> Image.Image:
    with Image.open(next(PHOTOGRAPHS.glob(f"{name}.*"))) as file:
        return Image.fromarray(np.asarray(file))


@cache
def photo_file(name: str, *, size: tuple[int, int] | None = None, quality: int = 85) -> bytes:
    """A photograph in the format its name says, such as `chelsea.jpg`, resized where a size is given."""
    stem, _, extension = name.partition(".")
    picture = photo(stem)
    return encode(picture.resize(size) if size else picture, FORMATS.get(extension, extension), quality=quality)


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """The image as a file."""
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def decode(body: bytes) -> Image.Image:
    """The file as an image, all of it decoded."""
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def psnr(image: Image.Image, reference: Image.Image) -> float:
    """The similarity of two pictures of equal size, in decibels; above 35 the eye sees no difference."""
    difference = np.asarray(image, dtype=float) - np.asarray(reference, dtype=float)
    return float(10 * np.log10(255**2 / max(np.mean(difference**2), 1e-9)))


def quadrants(mode: str = "RGB") -> Image.Image:
    """64 x 32 pixels: red, green, blue and yellow from the top left by rows, so that every rotation shows."""
    image = Image.new("RGB", (64, 32), "red")
    image.paste("lime", (32, 0, 64, 16))
    image.paste("blue", (0, 16, 32, 32))
    image.paste("yellow", (32, 16, 64, 32))
    return image.convert(mode)


def exif(orientation: int) -> bytes:
    """An Exif block that holds the orientation and a maker."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "a camera"
    return tags.tobytes()


def icc_profile(primaries: tuple[tuple[float, float, float], ...]) -> bytes:
    """A matrix profile of gamma 2.2 with these primaries (ICC.1:2001-04)."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)

    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79)
    tags = {
        b"desc": text,
        b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249),
        **{name: b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in zip(names, primaries, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), b"curv\0\0\0\0" + struct.pack(">IHxx", 1, 563)),
    }
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", offset + len(body), len(value))
        body += padded
    header = struct.pack(
        ">I4sI4s4s4s12x4s", offset + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp"
    )
    header += bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def as_srgb(colour: tuple[int, int, int], primaries: tuple[tuple[float, float, float], ...]) -> tuple[int, ...]:
    """Convert a colour with these primaries to sRGB (IEC 61966-2-1), by the definitions."""
    xyz = np.array(primaries).T @ (np.array(colour) / 255) ** GAMMA
    linear = np.clip(np.linalg.solve(np.array(SRGB).T, xyz), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(int(value) for value in np.rint(encoded * 255))
