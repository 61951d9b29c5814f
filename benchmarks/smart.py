"""`quality=smart` compared with plain quality 50: bytes, SSIMULACRA 2 score and CPU time."""

from __future__ import annotations

import io
import tempfile
from functools import partial
from pathlib import Path
from statistics import geometric_mean, mean
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from ssimulacra2 import compute_ssimulacra2

from benchmarks.corpus import encoded
from benchmarks.measure import in_turns, say
from benchmarks.results import Table
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import decode, encode, photo

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")
MAX_PIXELS = 50_000_000
COLOURS: list[str | tuple[int, int, int]] = ["black", (200, 0, 0), (0, 60, 160)]


def measure(*, quick: bool = False) -> Table:
    """A row for each picture, and one for the photographs together."""
    rows: list[list[str | float]] = []
    pictures = _pictures(quick=quick)
    for name, source in pictures.items():
        say(f"  {name}")
        rows.append([name, *_figures(source, rounds=1 if quick else 5)])
    photos = rows[: len(pictures) - 3]
    size, usual, plain, smart, cpu = ([float(row[column]) for row in photos] for column in range(1, 6))
    together = [geometric_mean(size), geometric_mean(usual), mean(plain), mean(smart), geometric_mean(cpu)]
    rows.append(["photographs together", *together])
    columns = ["", "bytes ÷ plain", "÷ with the usual tables", "score, plain", "score, smart", "CPU ÷ plain"]
    notes = [
        "JPEG at half size from lossless sources. Score: SSIMULACRA 2, not used by the encoder; 100 is identical.",
        "The usual tables are the standard Huffman tables that other encoders write; the pixels are those of plain.",
    ]
    return Table("quality=smart ÷ quality=50", columns, rows, notes)


def _pictures(*, quick: bool) -> dict[str, bytes]:
    """The photographs, then three drawn pictures."""
    photos = {name: encode(photo(name), "PNG") for name in PHOTOGRAPHS[: 2 if quick else None]}
    mosaics = {} if quick else {f"mosaic of photographs, {size}": encoded(size, "PNG") for size in ("S", "M")}
    drawn = {"product on white": _product(), "lettering": _lettering(), "gradient": _gradient()}
    return photos | mosaics | {name: encode(picture, "PNG") for name, picture in drawn.items()}


def _figures(source: bytes, *, rounds: int) -> list[float]:
    reference = compressed(source, format="png")
    cases = {"plain": partial(compressed, source, quality=50), "smart": partial(compressed, source, quality="smart")}
    plain, smart = (case() for case in cases.values())
    costs = in_turns(cases, rounds=rounds)
    scores = [judged(reference, body) for body in (plain, smart)]
    usual = encode(decode(reference), "JPEG", quality=50)
    return [len(smart) / len(plain), len(smart) / len(usual), *scores, costs["smart"].cpu / costs["plain"].cpu]


def compressed(source: bytes, **options: Any) -> bytes:
    """What `compress` makes of `source`, at half size unless `options` say otherwise."""
    return compress(source, options=CompressOptions(**options), max_pixels=MAX_PIXELS).body


def judged(reference: bytes, body: bytes) -> float:
    """SSIMULACRA 2 score of `body` against `reference`; the library reads files."""
    with tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "one.png"), Path(folder, "other.png")
        one.write_bytes(reference)
        Image.open(io.BytesIO(body)).save(other)
        return float(compute_ssimulacra2(str(one), str(other)))


def _product() -> Image.Image:
    picture = Image.new("RGB", (1200, 1200), "white")
    ImageDraw.Draw(picture).ellipse((240, 180, 960, 1020), fill=(40, 90, 150), outline=(20, 40, 80), width=24)
    picture.paste(Image.linear_gradient("L").resize((400, 160)), (400, 480))
    return picture


def _lettering() -> Image.Image:
    picture = Image.new("RGB", (1200, 960), "white")
    for line, colour in enumerate(COLOURS * 5):
        font = ImageFont.load_default(48)
        ImageDraw.Draw(picture).text((20, 12 + 62 * line), "Sale: the quick brown fox", fill=colour, font=font)
    return picture


def _gradient() -> Image.Image:
    bands = [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("L", (256, 256), 128)]
    return Image.merge("RGB", bands).resize((1024, 1024), Image.Resampling.BICUBIC)
