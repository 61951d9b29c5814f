"""Tells whether a picture has thin strokes of strong colour, such as red text, which colours at half size would spoil.

JPEG and AVIF usually store colours at half the width and height (4:2:0). A stroke of a pixel or two then shares its
colour with what is beside it: red on white turns dark. Edges of larger things only blur, which is not seen.
"""

from __future__ import annotations

from PIL import Image, ImageChops

STEP = 2  # Of a sampled line every second pixel is looked at.
REACH = 2  # samples to either side; a stroke is up to about 6 pixels wide
STRONG = 112  # levels of saturation (the largest sample less the smallest) between a stroke and what is beside it
SHARE = 0.002  # of the samples in such strokes. Photographs stay below 0.001, a line of text is above (ADR 31).
LEAST = 5  # samples in strokes, however small the picture: a few may be noise
LEAST_LINES, MOST_LINES, LINE_DISTANCE = 6, 32, 32


def has_thin_colours(picture: Image.Image) -> bool:
    """Whether the share of strongly coloured strokes in sampled rows and columns of an RGB(A) picture is large."""
    width, height = picture.size
    if picture.mode not in {"RGB", "RGBA"} or min(width, height) <= STEP * REACH * 2:
        return False
    rows = picture.resize((width // STEP, _lines(height)), Image.Resampling.NEAREST)
    columns = picture.resize((_lines(width), height // STEP), Image.Resampling.NEAREST)
    lines = Image.new(picture.mode, (max(rows.width, columns.height), rows.height + columns.width))
    lines.paste(rows)
    lines.paste(columns.transpose(Image.Transpose.TRANSPOSE), (0, rows.height))
    samples = rows.width * rows.height + columns.width * columns.height
    return sum(_contrasts(lines)[STRONG:]) >= max(LEAST, SHARE * samples)


def _lines(length: int) -> int:
    """How many lines to sample across so many pixels."""
    return min(length, MOST_LINES, max(LEAST_LINES, length // LINE_DISTANCE))


def _contrasts(lines: Image.Image) -> list[int]:
    """The histogram of how much the saturation of each sample differs from both that are REACH to its sides."""
    red, green, blue = lines.split()[:3]
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    saturation = ImageChops.subtract(most, ImageChops.darker(ImageChops.darker(red, green), blue))
    width, height = lines.width - 2 * REACH, lines.height
    left, here, right = (saturation.crop((turn * REACH, 0, turn * REACH + width, height)) for turn in range(3))
    return ImageChops.darker(ImageChops.difference(here, left), ImageChops.difference(here, right)).histogram()
