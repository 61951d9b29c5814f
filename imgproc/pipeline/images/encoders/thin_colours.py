"""Tells whether a picture has thin strokes of strong colour, such as red text, which colours at half size would spoil.

JPEG and AVIF usually store colours at half the width and height (4:2:0). A stroke of a pixel or two then shares its
colour with what is beside it: red on white turns dark. Edges of larger things only blur, which is not seen.

Every picture is looked at, and few have such strokes. So the samples are few, and each step is one call of Pillow's
core: with so few samples, the public functions around it would take three times as long.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

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
    strokes = _strokes(_lines(picture.im, rows=(width // STEP, count), columns=(COLUMNS, height // STEP)))
    found = sum(strokes.histogram()[STRONG:])
    samples = width // STEP * count + COLUMNS * (height // STEP)
    return found >= LEAST and (found >= SHARE * samples or _most_of_line(strokes) >= SHARE_OF_LINE)


def _lines(picture: Any, *, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
    """The nearest pixels of a grid of rows, and below them those of a grid of columns, which lie on their side."""
    whole = (0, 0, *picture.size)
    lying = picture.resize(columns, Image.Resampling.NEAREST, whole).transpose(Image.Transpose.TRANSPOSE)
    width, height = max(rows[0], columns[1]), rows[1]
    lines: Any = Image.new(picture.mode, (width, height + columns[0])).im
    lines.paste(picture.resize(rows, Image.Resampling.NEAREST, whole), (0, 0, *rows))
    lines.paste(lying, (0, height, columns[1], height + columns[0]))
    return lines


def _strokes(lines: Any) -> Any:
    """By how many levels the saturation of each sample differs from that of both samples REACH beside it."""
    red, green, blue = lines.split()[:3]
    most, least = red.chop_lighter(green).chop_lighter(blue), red.chop_darker(green).chop_darker(blue)
    saturation = most.chop_difference(least)
    width, height = lines.size[0] - 2 * REACH, lines.size[1]
    left, here, right = (saturation.crop((turn * REACH, 0, turn * REACH + width, height)) for turn in range(3))
    return here.chop_difference(left).chop_darker(here.chop_difference(right))


def _most_of_line(strokes: Any) -> float:
    """The largest share of strong strokes in a line."""
    width, height = strokes.size
    means = strokes.point(IS_STRONG, None).reduce((width, 1), (0, 0, width, height))
    return float(means.getextrema()[1] / 255)
