"""Contact sheets: the pictures of one group of disagreements, ours beside the judge's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from tests.corpora.shown import Shown
from tests.corpora.verdict import Verdict

SIDE, TEXT, MOST = 200, 32, 40  # pixels of a thumbnail and of the line below it; pictures of a sheet
PAIRS = 4  # beside each other


def draw(verdicts: Sequence[Verdict], path: Path) -> None:
    """Write the sheet of up to `MOST` verdicts: left ours, right theirs, a cross where there is none."""
    shown = verdicts[:MOST]
    rows = -(-len(shown) // PAIRS)
    sheet = Image.new("RGB", (PAIRS * (2 * SIDE + 12), rows * (SIDE + TEXT)), "#dddddd")
    pen = ImageDraw.Draw(sheet)
    for number, verdict in enumerate(shown):
        left, top = (number % PAIRS) * (2 * SIDE + 12), (number // PAIRS) * (SIDE + TEXT)
        for offset, side in ((0, verdict.ours), (SIDE, verdict.theirs)):
            sheet.paste(_thumbnail(side), (left + offset + 2, top + 2))
        pen.text((left + 2, top + SIDE + 2), verdict.file.name[:60], fill="black")
        pen.text((left + 2, top + SIDE + 14), verdict.detail[:60], fill="black")
    sheet.save(path)


def _thumbnail(shown: Shown | None) -> Image.Image:
    inner = SIDE - 4
    if shown is None:
        empty = Image.new("RGB", (inner, inner), "white")
        ImageDraw.Draw(empty).line([(0, 0), (inner, inner)], fill="red", width=2)
        return empty
    picture = Image.fromarray(shown.pixels)
    if times := inner // max(picture.size):
        return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    picture.thumbnail((inner, inner))
    return picture
