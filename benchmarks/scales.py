"""JPEGs at other scales than one half: decoded at eighths of their size, or in full and resized by LANCZOS."""

from __future__ import annotations

from functools import partial
from statistics import mean
from unittest.mock import patch

from PIL import Image

from benchmarks.corpus import SOURCE_QUALITY, jpeg
from benchmarks.measure import in_turns, say
from benchmarks.peers import MAX_PIXELS
from benchmarks.results import Table
from benchmarks.smart import PHOTOGRAPHS, judged
from imgproc.pipeline.images import decode as stage
from imgproc.pipeline.images.compress import CompressOptions, compress
from tests.support.photographs import decode, encode, photo

SIZE = "M"
SCALES = (0.3, 0.375, 0.55, 0.6, 0.625, 0.7, 0.75, 0.8)
QUALITIES = (50, 80)
WAYS = {"full": 0, "eighths": stage.FINEST_OF_EIGHTHS}


def measure(*, quick: bool = False) -> Table:
    """CPU time and score of both ways at every scale."""
    rows: list[list[str | float]] = []
    for scale in SCALES[::4] if quick else SCALES:
        say(f"  {scale}")
        cases = {way: partial(_made, jpeg(SIZE), way, scale) for way in WAYS}
        cpu = [1000 * cost.cpu for cost in in_turns(cases, rounds=2 if quick else 11).values()]
        scores = [_score(way, scale, quality) for quality in QUALITIES for way in WAYS]
        rows.append([str(scale), *cpu, cpu[0] / cpu[1], *scores])
    heads = [f"score at {quality}, {way}" for quality in QUALITIES for way in WAYS]
    notes = [
        f"CPU of {SIZE} at quality 50, one thread, medians of rounds in turns.",
        "Score: SSIMULACRA 2 against LANCZOS of the lossless picture, mean of four photographs; 100 is identical.",
    ]
    return Table(
        "JPEGs at other scales",
        ["scale", "full decode, CPU ms", "eighths, CPU ms", "full ÷ eighths", *heads],
        rows,
        notes,
    )


def _made(source: bytes, way: str, scale: float, quality: int = 50) -> bytes:
    with patch.object(stage, "FINEST_OF_EIGHTHS", WAYS[way]):
        return compress(source, options=CompressOptions(quality, scale), max_pixels=MAX_PIXELS).body


def _score(way: str, scale: float, quality: int) -> float:
    return mean(_judged(photo(name), way, scale, quality) for name in PHOTOGRAPHS)


def _judged(photograph: Image.Image, way: str, scale: float, quality: int) -> float:
    body = _made(encode(photograph, "JPEG", quality=SOURCE_QUALITY), way, scale, quality)
    return judged(encode(photograph.resize(decode(body).size, Image.Resampling.LANCZOS), "PNG"), body)
