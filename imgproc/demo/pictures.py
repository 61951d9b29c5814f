"""Draws product pictures, with the same bytes on every run, in the kinds that a catalogue holds."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Box = tuple[float, float, float, float]
Shape = Callable[[ImageDraw.ImageDraw, Callable[..., Box], tuple[int, int, int]], None]

ORIENTATION = 0x0112  # Exif tag; 6 means "rotate by 90° clockwise to display"
GRAIN = 24  # levels of noise, of 255; without noise a file is much smaller than that of a photograph


@dataclass(frozen=True)
class Picture:
    """A picture; `size` is its width and height in pixels as displayed."""

    name: str
    size: tuple[int, int]
    shape: Shape
    colour: tuple[int, int, int]
    kind: Literal["jpeg", "rotated jpeg", "display-p3 jpeg", "png with alpha"] = "jpeg"


@cache
def render(picture: Picture) -> bytes:
    """The encoded file of a picture."""
    out = io.BytesIO()
    if picture.kind == "png with alpha":
        _product(picture).save(out, "PNG")
        return out.getvalue()
    image = _photograph(picture)
    exif = Image.Exif()
    profile = None
    if picture.kind == "rotated jpeg":
        exif[ORIENTATION] = 6
        image = image.transpose(Image.Transpose.ROTATE_90)
    if picture.kind == "display-p3 jpeg":
        profile = display_p3_profile()
    image.save(out, "JPEG", quality=92, subsampling=0, exif=exif, icc_profile=profile)
    return out.getvalue()


def _photograph(picture: Picture) -> Image.Image:
    """The product on a backdrop, with its shadow and the noise of a sensor."""
    light = Image.radial_gradient("L").resize(picture.size)
    image = Image.composite(Image.new("RGB", picture.size, "#c9c3ba"), Image.new("RGB", picture.size, "#f7f5f1"), light)
    product = _product(picture)
    shadow = ImageChops.offset(product.getchannel("A"), picture.size[0] // 40, picture.size[1] // 50)
    shadow = shadow.filter(ImageFilter.GaussianBlur(picture.size[0] / 60)).point(lambda level: level // 3)
    image.paste((70, 60, 55), mask=shadow)
    image.paste(product, mask=product.getchannel("A"))
    return _add_grain(image, seed=picture.name)


def _product(picture: Picture) -> Image.Image:
    """The product on a transparent background, lit from one side."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2

    def place(x0: float, y0: float, x1: float, y1: float) -> Box:
        """Convert hundredths of the largest centred square to pixels."""
        return left + x0 * side / 100, top + y0 * side / 100, left + x1 * side / 100, top + y1 * side / 100

    image = Image.new("RGBA", picture.size)
    picture.shape(ImageDraw.Draw(image), place, picture.colour)
    shade = Image.linear_gradient("L").rotate(90).resize(picture.size).point(lambda level: 255 - level // 3)
    lit = ImageChops.multiply(image.convert("RGB"), Image.merge("RGB", [shade] * 3))
    lit.putalpha(image.getchannel("A"))
    return lit


def _add_grain(image: Image.Image, *, seed: str) -> Image.Image:
    """Darken by noise in specks of a few pixels, so that half the size still has noise."""
    width, height = image.width // 3, image.height // 3
    noise = Image.frombytes("L", (width, height), random.Random(seed).randbytes(width * height))  # noqa: S311 - no secret
    grain = noise.point(lambda level: level * GRAIN // 255).resize(image.size)
    return ImageChops.subtract(image, Image.merge("RGB", [grain] * 3))


def _darker(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = colour
    return red * 2 // 3, green * 2 // 3, blue * 2 // 3


def mug(draw: ImageDraw.ImageDraw, place: Callable[..., Box], colour: tuple[int, int, int]) -> None:
    """A mug with its handle on the right."""
    handle = place(62, 36, 86, 66)
    draw.ellipse(handle, outline=_darker(colour), width=int(handle[2] - handle[0]) // 5)
    draw.rounded_rectangle(place(22, 24, 70, 80), radius=(handle[2] - handle[0]) / 4, fill=colour)
    draw.ellipse(place(22, 19, 70, 31), fill=_darker(colour))


def lamp(draw: ImageDraw.ImageDraw, place: Callable[..., Box], colour: tuple[int, int, int]) -> None:
    """A desk lamp: foot, stem and shade."""
    draw.ellipse(place(32, 80, 68, 90), fill=_darker(colour))
    draw.rectangle(place(48, 40, 52, 85), fill=_darker(colour))
    x0, y0, x1, y1 = place(26, 14, 74, 46)
    slant = (x1 - x0) / 4
    draw.polygon([(x0 + slant, y0), (x1 - slant, y0), (x1, y1), (x0, y1)], fill=colour)


def glasses(draw: ImageDraw.ImageDraw, place: Callable[..., Box], colour: tuple[int, int, int]) -> None:
    """Sunglasses, with lenses that let the background through."""
    rim = max(1, int(place(0, 0, 2, 2)[2] - place(0, 0, 2, 2)[0]))
    for lens in (place(10, 36, 45, 66), place(55, 36, 90, 66)):
        draw.ellipse(lens, fill=(*_darker(colour), 140), outline=colour, width=rim)
    draw.arc(place(43, 42, 57, 56), 180, 360, fill=colour, width=rim)


def scarf(draw: ImageDraw.ImageDraw, place: Callable[..., Box], colour: tuple[int, int, int]) -> None:
    """A folded scarf with stripes and a fringe."""
    draw.rectangle(place(24, 14, 76, 78), fill=colour)
    for y in range(20, 78, 12):
        draw.rectangle(place(24, y, 76, y + 4), fill=_darker(colour))
    for x in range(24, 76, 4):
        draw.rectangle(place(x, 78, x + 2, 88), fill=colour)


def notebook(draw: ImageDraw.ImageDraw, place: Callable[..., Box], colour: tuple[int, int, int]) -> None:
    """A notebook with a spine, a label and an elastic band."""
    draw.rectangle(place(26, 12, 76, 88), fill=colour)
    draw.rectangle(place(26, 12, 33, 88), fill=_darker(colour))
    draw.rectangle(place(42, 26, 64, 38), fill=(245, 240, 228))
    draw.rectangle(place(70, 12, 72, 88), fill=_darker(colour))


def ball(draw: ImageDraw.ImageDraw, place: Callable[..., Box], colour: tuple[int, int, int]) -> None:
    """A ball with a highlight."""
    draw.ellipse(place(18, 18, 82, 82), fill=colour)
    draw.ellipse(place(34, 28, 48, 40), fill=(255, 255, 255, 200))


def display_p3_profile() -> bytes:
    """A Display P3 colour profile (ICC.1:2010, version 4: three primaries and the curve of sRGB)."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    def text(value: str) -> bytes:
        body = value.encode("utf-16-be")
        return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(body), 28) + body

    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0)
    curve += b"".join(map(number, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    tags = {
        b"desc": text("Display P3"),
        b"cprt": text("No copyright, use freely"),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.515102, 0.241182, -0.001050),
        b"gXYZ": xyz(0.291965, 0.692236, 0.041882),
        b"bXYZ": xyz(0.157153, 0.066582, 0.784379),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    start = 128 + 4 + 12 * len(tags)
    directory, data = struct.pack(">I", len(tags)), b""
    for signature, body in tags.items():
        directory += struct.pack(">4sII", signature, start + len(data), len(body))
        data += body + b"\0" * (-len(body) % 4)
    header = struct.pack(">I4xI4s4s4s", start + len(data), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += (
        struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + number(0.9642) + number(1) + number(0.8249)
    )
    return header.ljust(128, b"\0") + directory + data
