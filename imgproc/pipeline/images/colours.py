"""Converts every mode that a decoder gives to L, RGB, RGBA or CMYK of 8 bits a channel, and those to sRGB."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from itertools import product
from typing import cast

from PIL import Image, ImageChops, ImageCms

TAG_TABLE = 128  # where the table of tags starts in a profile
MAX_TAGS = 100  # Little CMS reads no more
FLOAT_TAGS = {b"D2B", b"B2D"}
MAX_PROFILE_BYTES = 4 * 1024 * 1024  # The largest press profiles stay below 3 MiB.


def white_of(image: Image.Image) -> float:
    """The sample value of white. Files of 32 bits or floating point do not say, so their largest sample decides."""
    if image.mode not in {"F", "I"}:
        return 65535 if image.mode.startswith("I;16") else 255
    _, brightest = cast("tuple[float, float]", image.getextrema())
    return next((usual for usual in (1, 255, 65535) if brightest <= usual), brightest)


def to_plain(image: Image.Image, *, white: float) -> Image.Image:
    """The image as L, RGB, RGBA or CMYK, 8 bits a channel; the image itself where it already is."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = _to_eight_bits(image, white)
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in {"L", "RGB", "CMYK"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_eight_bits(image: Image.Image, white: float) -> Image.Image:
    samples = image if image.mode == "F" else image.convert("I").convert("F")
    samples.info.pop("transparency", None)  # Its value is a sample of the wide range.
    return samples.point(lambda sample: sample * (255 / white)).convert("L")


def to_srgb(image: Image.Image, *, profile: bytes | None) -> Image.Image:
    """The image in sRGB, converted by its ICC profile; the image itself where it is sRGB already."""
    usable = isinstance(profile, bytes) and len(profile) <= MAX_PROFILE_BYTES
    transform = _srgb_transform(cast("bytes", profile), image.mode) if usable else None
    if transform is not None:
        coloured = transform.apply(image)
        return coloured.convert("L") if image.mode == "L" else coloured
    return image.convert("RGB") if image.mode == "CMYK" else image


def is_srgb(image: Image.Image) -> bool:
    """Whether a decoded image is sRGB without its profile."""
    pixel = to_plain(image.crop((0, 0, 1, 1)), white=255)
    return pixel.mode != "CMYK" and to_srgb(pixel, profile=image.info.get("icc_profile")) is pixel


@lru_cache(maxsize=8)
def _srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from an ICC profile to sRGB; None where the profile is broken, not for `mode`, or sRGB already.

    Most profiles are sRGB under one name or another, and transforming an image costs more than encoding it. So a grid
    of colours is transformed first: where none changes, no image needs the transform. NOCACHE makes it safe to share a
    transform between threads (Little CMS, cmsDoTransform).
    """
    output_mode = mode if mode == "RGBA" else "RGB"
    grid = Image.frombytes("RGB", (125, 1), bytes(sum(product(range(0, 256, 63), repeat=3), ()))).convert(mode)
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(_without_float_tags(profile)))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.buildTransform(opened, srgb, mode, output_mode, flags=ImageCms.Flags.NOCACHE)
        shift = ImageChops.difference(transform.apply(grid), grid.convert(output_mode))
    except (ImageCms.PyCMSError, OSError, ValueError, struct.error):
        return None
    return transform if max(shift.tobytes()) > 1 else None


def _without_float_tags(profile: bytes) -> bytes:
    """The profile without its floating-point transforms, which only supplement the usual ones (ICC.1:2022, 9.2.17).

    They list any number of steps, and Little CMS takes them one by one: 10,000 steps in 160 kB took a minute.
    """
    renamed = bytearray(profile)
    (count,) = struct.unpack_from(">I", profile, TAG_TABLE)
    for entry in range(TAG_TABLE + 4, TAG_TABLE + 4 + 12 * min(count, MAX_TAGS), 12):
        if profile[entry : entry + 3] in FLOAT_TAGS:
            renamed[entry : entry + 4] = b"none"
    return bytes(renamed)


def flatten(image: Image.Image) -> Image.Image:
    """The image on white; the image itself where it has no transparency."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white
