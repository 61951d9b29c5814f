"""A picture of each depth and colour model that docs/reference/picture-formats.md lists is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from imgproc.pipeline.images.compress import CompressOptions, compress
from imgproc.pipeline.images.formats import INPUT_FORMATS, OUTPUT_FORMATS
from tests.support.half_pictures import DASH, LIME, RED, SAMPLES
from tests.support.rendered import on_white

PAGE = (Path(__file__).parents[2] / "docs/reference/picture-formats.md").read_text()
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
Halves = tuple[tuple[int, ...], tuple[int, ...]]
DRAWN_OTHERWISE = {("avif", "8", "HDR PQ"), ("avif", "10", "HDR HLG"), ("svg", DASH, DASH)}
LARGE = ("avif", "12", "RGB with transparency")  # 20 million pixels
COLOURLESS = {"grey", "Lab", "bitmap", "duotone as grey", "black and white"}
SMALL_WORDS = {"a", "and", "as", "each", "or", "of", "with"}


def _rows(section: str) -> Iterator[list[str]]:
    """The cells of the first table under a heading."""
    body = PAGE.partition(f"\n## {section}\n\n")[2].partition("\n\n")[0]
    for line in body.splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("| ").split(" | ")]


IN = {cells[0]: cells for cells in _rows("In")}
KEYS = {
    "JPEG 2000": "jp2", "Photoshop": "psd", "icon": "ico", "HEIC": "heic",
    **{name: name.lower() for name in ("JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP", "TIFF", "TGA", "PNM", "SVG")},
}  # fmt: skip


def _cells(key: str) -> list[str]:
    (found,) = (cells for name, cells in IN.items() if KEYS[re.split(r",| \(", name)[0]] == key)
    return found


def _depths(cell: str) -> set[str]:
    spans = re.findall(r"(\d+) to (\d+)", cell)
    listed = {str(bits) for first, last in spans for bits in range(int(first), int(last) + 1)}
    return listed | set(re.findall(rf"\d+|floating point|a PNG|{DASH}", cell))


def _words(text: str) -> set[str]:
    return set(re.findall(rf"\w+|{DASH}", text)) - SMALL_WORDS


def test_the_table_has_every_format() -> None:
    """What goes in is what the content tells; what goes out is what a caller may ask for."""
    assert {KEYS[re.split(r",| \(", name)[0]] for name in IN} == set(INPUT_FORMATS) == set(SAMPLES)
    assert {cells[0].lower() for cells in _rows("Out")} == set(OUTPUT_FORMATS)


@pytest.mark.parametrize("key", SAMPLES)
def test_a_sample_is_there_for_each_depth_and_model(key: str) -> None:
    """So a row that promises more, or less, than is tried below fails."""
    _, depths, models, _ = _cells(key)
    assert {bits for bits, _ in SAMPLES[key]} == _depths(depths)
    assert _words(" ".join(model for _, model in SAMPLES[key])) == _words(re.sub(r"Not .*", "", models))


def _expected(model: str) -> Halves:
    right = WHITE if "transparency" in model or "mask" in model else LIME
    if model.partition(" with")[0] in COLOURLESS:
        return BLACK, WHITE
    return RED, right


@pytest.mark.parametrize(
    ("key", "bits", "model"), [(key, *kind) for key, samples in SAMPLES.items() for kind in samples]
)
def test_reads_what_the_table_lists(key: str, bits: str, model: str) -> None:
    """Black and white, or red and lime, which transparency hides."""
    source = SAMPLES[key][bits, model]()
    if (key, bits, model) == LARGE:
        assert compress(source, options=CompressOptions(scale=0.01), max_pixels=50_000_000).output.width == 45
        return
    shown = on_white(source, is_apart=True)
    height, width, _ = shown.shape
    if (key, bits, model) in DRAWN_OTHERWISE:
        assert height > 1
        return
    for colour, column in zip(_expected(model), (width // 4, width * 3 // 4), strict=True):
        assert np.abs(shown[height // 2, column] - colour).max() <= 5
