"""Converts every mode that a decoder gives to L, RGB, RGBA or CMYK of 8 bits a channel, and those to sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from functools import lru_cache
from itertools import chain, product
from typing import NamedTuple, cast

from PIL import Image, ImageChops, ImageCms

from imgproc.pipeline.images.colour import icc
from imgproc.pipeline.images.colour.colour_spaces import HLG, PQ, ColourSpace
from imgproc.pipeline.images.colour.tone_mapping import tone_mapping

FLOAT_TAGS = {b"D2B", b"B2D"}
LESSER_TABLES = {b"A2B1", b"A2B2"}  # which count only without A2B0
NO_CLASSES = {b"link", b"abst"}  # of profiles that Little CMS does not read as others; their tags are the same
GREY_MODES = {"1", "L", "LA", "La", "I", "F"}


class ThreeInks(NamedTuple):
    """A CMYK profile as Chromium applies it to a JPEG: after it has mixed black into cyan, magenta and yellow."""

    profile: bytes


Meaning = bytes | ColourSpace | ThreeInks  # of the samples: an ICC profile or a colour space
Transform = Callable[[Image.Image], Image.Image]


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


def meaning_of(image: Image.Image) -> Meaning | None:
    """What the samples of a decoded image mean; None for sRGB.

    A colour space that the reader found counts more than an ICC profile. A grey profile counts for grey images alone.
    """
    meaning = image.info.get("colour_space") or image.info.get("icc_profile")
    if not isinstance(meaning, bytes):
        return cast("ColourSpace | None", meaning)
    if len(meaning) > icc.MAX_PROFILE_BYTES or not icc.is_usable(meaning):
        return None
    is_grey = image.mode in GREY_MODES or image.mode.startswith("I;16") or image.info.get("is_grey", False)
    if image.format == "JPEG" and image.mode == "CMYK" and icc.space_of(meaning) == icc.CMYK:
        return ThreeInks(meaning)
    return meaning if is_grey or icc.space_of(meaning) != icc.GREY else None


def to_srgb(image: Image.Image, *, meaning: Meaning | None) -> Image.Image:
    """The image in sRGB; the image itself where it is sRGB already."""
    transform = _transform(meaning, image.mode) if meaning else None
    if transform is not None:
        return transform(image)
    return image.convert("RGB") if image.mode == "CMYK" else image


def is_srgb(image: Image.Image) -> bool:
    """Whether a decoded image is sRGB without its profile."""
    pixel = to_plain(image.crop((0, 0, 1, 1)), white=255)
    return pixel.mode != "CMYK" and to_srgb(pixel, meaning=meaning_of(image)) is pixel


@lru_cache(maxsize=8)
def _transform(meaning: Meaning, mode: str) -> Transform | None:
    """How to convert an image of `mode` to sRGB; None where nothing changes, or its meaning is not usable."""
    if isinstance(meaning, ThreeInks):
        by_inks = _by_profile(meaning.profile, mode)
        return (lambda image: by_inks(_without_black(image))) if by_inks else None
    if isinstance(meaning, bytes):
        meaning = icc.named_space(meaning) or meaning
    is_grey = isinstance(meaning, bytes) and icc.space_of(meaning) == icc.GREY
    if isinstance(meaning, bytes) and (mode == "CMYK") != (icc.space_of(meaning) == icc.CMYK):
        return None
    if mode == "CMYK":
        return _by_profile(meaning, mode, intent=_intent(meaning)) if isinstance(meaning, bytes) else None
    if mode != "L" and not is_grey:
        return _by_profile(meaning, mode) if isinstance(meaning, bytes) else _by_space(meaning, mode)
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    if isinstance(meaning, bytes) and is_grey:
        transform = _by_profile(meaning, "L")
    else:
        transform, ramp = _transform(meaning, "RGB"), ramp.convert("RGB")
    return _by_levels(transform, ramp, mode) if transform else None


def _without_black(image: Image.Image) -> Image.Image:
    """The same inks without black, which the others replace."""
    return Image.merge("CMYK", [*ImageChops.invert(image.convert("RGB")).split(), Image.new("L", image.size)])


def _by_levels(transform: Transform, ramp: Image.Image, mode: str) -> Transform:
    """Convert a grey image level by level, to RGB where its greys become colours; `ramp` has every level once."""
    levels = [list(band.tobytes()) for band in transform(ramp).split()]
    if mode == "L":
        shades = zip(*levels, strict=True)
        if all(max(shade) - min(shade) <= 1 for shade in shades):
            return lambda image: image.point(levels[1])
        return lambda image: image.convert("RGB").point([*chain(*levels)])
    unchanged = range(256) if mode == "RGBA" else ()
    return lambda image: image.point([*chain(*levels, unchanged)])


def _by_space(space: ColourSpace, mode: str) -> Transform | None:
    if space.curve in {PQ, HLG}:
        return tone_mapping(space)
    try:
        return _by_profile(icc.matrix_profile(space), mode)
    except ArithmeticError:
        return None


def _intent(profile: bytes) -> ImageCms.Intent:
    """As libvips converts inks: their darkest colour becomes black."""
    return ImageCms.Intent.PERCEPTUAL if icc.has_perceptual_table(profile) else ImageCms.Intent.RELATIVE_COLORIMETRIC


def _by_profile(
    profile: bytes, mode: str, *, intent: ImageCms.Intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
) -> Transform | None:
    """The transform from an ICC profile to sRGB; None where the profile is broken, not for `mode`, or sRGB already.

    Most profiles are sRGB under one name or another, and transforming an image costs more than encoding it. So a grid
    of colours is transformed first: where none changes, no image needs the transform. NOCACHE makes it safe to share a
    transform between threads (Little CMS, cmsDoTransform).
    """
    output_mode = mode if mode == "RGBA" else "RGB"
    grid = Image.frombytes("RGB", (125, 1), bytes(sum(product(range(0, 256, 63), repeat=3), ()))).convert(mode)
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(_with_one_table(profile)))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.buildTransform(opened, srgb, mode, output_mode, intent, flags=ImageCms.Flags.NOCACHE)
        shift = ImageChops.difference(transform.apply(grid), grid.convert(output_mode))
    except (ImageCms.PyCMSError, OSError, ValueError, struct.error):
        return None
    return transform.apply if max(shift.tobytes()) > 1 else None


def _with_one_table(profile: bytes) -> bytes:
    """The profile with the table that counts, and without its floating-point transforms (ICC.1:2022, 9.2.17).

    Those only supplement the usual ones. They list any number of steps, and Little CMS takes them one by one: 10,000
    steps in 160 kB took a minute.
    """
    renamed = bytearray(profile)
    unused = LESSER_TABLES if icc.has_perceptual_table(profile) else set()
    if profile[12:16] in NO_CLASSES:
        renamed[12:16] = b"mntr"
    (count,) = struct.unpack_from(">I", profile, icc.TAG_TABLE)
    for entry in range(icc.TAG_TABLE + 4, icc.TAG_TABLE + 4 + 12 * min(count, icc.MAX_TAGS), 12):
        if profile[entry : entry + 3] in FLOAT_TAGS or profile[entry : entry + 4] in unused:
            renamed[entry : entry + 4] = struct.pack(">2sH", b"no", entry)  # Little CMS refuses two tags of one name.
    return bytes(renamed)


def flatten(image: Image.Image) -> Image.Image:
    """The image on white; the image itself where it has no transparency."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white
