"""Tells whether a picture has thin strokes of strong colour, such as red text, which colours at half size would spoil.

JPEG and AVIF usually store colours at half the width and height (4:2:0). A stroke of a pixel or two then shares its
colour with what is beside it: red on white turns dark. Edges of larger things only blur, which is not seen.
"""

from __future__ import annotations

from typing import cast

from PIL import Image, ImageChops

STEP = 2  # Of a sampled line every second pixel is looked at.
REACH = 2  # samples to either side; a stroke is up to about 6 pixels wide
STRONG = 112  # levels of saturation (the largest sample less the smallest) between a stroke and what is beside it
IS_STRONG = [0] * STRONG + [255] * (256 - STRONG)
# A picture needs strokes in so many samples, and in so many of all samples or of one line's. In photographs they are
# few and far between, and a line of text has many of them in a row (ADR 31).
LEAST = 8
SHARE, SHARE_OF_LINE = 0.002, 4 / 255
ROWS, ROW_DISTANCE = (8, 32), 32
COLUMNS = 2  # for rules between lines; more would miss the cache too often


def has_thin_colours(picture: Image.Image) -> bool:
    """Whether sampled rows and columns of an RGB or RGBA picture cross many thin strokes of strong colour."""
    width, height = picture.size
    if picture.mode not in {"RGB", "RGBA"} or min(width, height) <= STEP * REACH * 2:
        return False
    count = min(height, max(ROWS[0], min(ROWS[1], height // ROW_DISTANCE)))
    rows = picture.resize((width // STEP, count), Image.Resampling.NEAREST)
    columns = picture.resize((COLUMNS, height // STEP), Image.Resampling.NEAREST)
    lines = Image.new(picture.mode, (max(rows.width, columns.height), rows.height + columns.width))
    lines.paste(rows)
    lines.paste(columns.transpose(Image.Transpose.TRANSPOSE), (0, rows.height))
    samples = rows.width * rows.height + columns.width * columns.height
    strokes = _strokes(lines)
    found = strokes.histogram()[255]
    if found < LEAST:
        return False
    _, most = strokes.reduce((strokes.width, 1)).getextrema()  # of the means of the lines
    return found >= SHARE * samples or cast("float", most) >= SHARE_OF_LINE * 255


def _strokes(lines: Image.Image) -> Image.Image:
    """255 for each sample whose saturation differs strongly from both that are REACH to its sides, 0 for others."""
    red, green, blue = lines.split()[:3]
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    saturation = ImageChops.subtract(most, ImageChops.darker(ImageChops.darker(red, green), blue))
    width, height = lines.width - 2 * REACH, lines.height
    left, here, right = (saturation.crop((turn * REACH, 0, turn * REACH + width, height)) for turn in range(3))
    differences = ImageChops.darker(ImageChops.difference(here, left), ImageChops.difference(here, right))
    return differences.point(IS_STRONG)
