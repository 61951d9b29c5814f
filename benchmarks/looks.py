"""Bytes against looks against CPU time, for the encoders of each format: a table, and charts in docs/images."""

from __future__ import annotations

import base64
import importlib
import io
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import mean
from typing import Any

from PIL import Image
from ssimulacra2 import compute_ssimulacra2

from benchmarks import vips
from benchmarks.chart import Line, chart
from benchmarks.corpus import mosaic
from benchmarks.measure import say
from benchmarks.results import Table
from imgproc.pipeline.images.encoders.encode import encode
from imgproc.pipeline.images.encoders.smart import encode_smart
from imgproc.pipeline.images.guards.cost import CpuTime
from tests.support.photographs import encode as by_pillow
from tests.support.photographs import photo

IMAGES = Path(__file__).parent.parent / "docs" / "images"
HERE = Path(__file__).parent
QUALITIES = {"jpeg": (30, 50, 65, 75, 85, 95), "webp": (30, 50, 65, 80, 90), "avif": (30, 45, 60, 75)}
TITLES = {target: f"{name}: looks for bytes" for target, name in (("jpeg", "JPEG"), ("webp", "WebP"), ("avif", "AVIF"))}
TITLES |= {"png": "PNG: bytes for CPU"}
SCORE = "SSIMULACRA 2 (100 is identical)"
TIMED = 50  # the quality whose time is told, or the next one
# An encoder makes a file of a quality; one that runs elsewhere returns its CPU milliseconds, too.
Encoder = Callable[[Image.Image, int], "bytes | tuple[bytes, float]"]


def measure(*, quick: bool = False) -> Table:
    """A row for each encoder and quality; draws the charts unless it is a short try."""
    pictures = _pictures()[: 2 if quick else None]
    rows: list[list[str | float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for target, qualities in QUALITIES.items():
            for name, encoder in _encoders(target).items():
                say(f"  {target}: {name}")
                tried = [TIMED] if "smart" in name else qualities[:2] if quick else qualities
                found = [_figures(encoder, pictures, quality, Path(folder)) for quality in tried]
                rows += [[target, name, str(quality), *each] for quality, each in zip(tried, found, strict=True)]
    rows += [["png", name, "–", bits, 100, cost] for name, bits, cost in _lossless(pictures)]
    if not quick:
        draw(rows)
    columns = ["format", "encoder", "quality", "bits a pixel", "SSIMULACRA 2", "CPU ms a megapixel"]
    notes = [
        "Means of astronaut, coffee, chelsea, rocket and half of the mosaic S; CPU: the fastest of three.",
        "imgproxy encodes by libvips. sharp, jpegli, oxipng and Squoosh's codecs are left out if not installed.",
    ]
    return Table("Bytes against looks against CPU", columns, rows, notes)


def draw(rows: Sequence[Sequence[Any]]) -> None:
    """Draw the chart of each format from the rows of the table."""
    for target, title in TITLES.items():
        lines = []
        names = dict.fromkeys(name for format_, name, *_ in rows if format_ == target)
        for name in sorted(names, key=lambda name: not name.startswith("imgproc")):
            own = [row for row in rows if row[:2] == [target, name]]
            timed = min(own, key=lambda row: abs(int(row[2]) - TIMED) if row[2].isdigit() else 0)
            points = [(row[5], row[3]) if target == "png" else (row[3], row[4]) for row in own]
            lines.append(Line(name, points, timed[5]))
        axes = ("CPU ms a megapixel", "bits a pixel") if target == "png" else ("bits a pixel", SCORE)
        (IMAGES / f"looks-{target}.svg").write_text(chart(title, *axes, lines))


def _pictures() -> list[Image.Image]:
    photos = [photo(name) for name in ("astronaut", "coffee", "chelsea", "rocket")]
    return [*(picture.convert("RGB") for picture in photos), mosaic((800, 800)).reduce(2)]


def _figures(encoder: Encoder, pictures: list[Image.Image], quality: int, folder: Path) -> tuple[float, float, float]:
    """Mean bits a pixel, mean score, and milliseconds a million pixels."""
    bits, scores, costs, pixels = [], [], [], 0
    for picture in pictures:
        body, cost = min((_timed(encoder, picture, quality) for _ in range(3)), key=lambda made: made[1])
        bits.append(8 * len(body) / (picture.width * picture.height))
        scores.append(_score(picture, body, folder))
        costs.append(cost)
        pixels += picture.width * picture.height
    return mean(bits), mean(scores), sum(costs) / pixels * 10**6


def _timed(encoder: Encoder, picture: Image.Image, quality: int) -> tuple[bytes, float]:
    before = time.process_time()
    made = encoder(picture, quality)
    return made if isinstance(made, tuple) else (made, 1000 * (time.process_time() - before))


def _score(picture: Image.Image, body: bytes, folder: Path) -> float:
    one, other = folder / "one.png", folder / "other.png"
    picture.save(one, compress_level=0)
    Image.open(io.BytesIO(body)).convert("RGB").save(other, compress_level=0)
    return float(compute_ssimulacra2(str(one), str(other)))


def _encoders(target: str) -> dict[str, Encoder]:
    ours: dict[str, Encoder] = {
        "imgproc": lambda picture, quality: encode(picture.copy(), target=target, quality=quality),
        "imgproc, smart": lambda picture, _: encode_smart(picture.copy(), target=target, scale=1, time=CpuTime()).body,
    }
    found = ours | {"jpeg": _jpegs, "webp": _webps, "avif": _avifs}[target]() | _sharp(target)
    if (squoosh := _in_node("squoosh")) is not None:
        found["Squoosh"] = partial(squoosh, target=target, mode="RGBA")
    return found


def _jpegs() -> dict[str, Encoder]:
    found: dict[str, Encoder] = {
        "libjpeg-turbo": lambda picture, quality: by_pillow(picture, "JPEG", quality=quality),
        "libvips, as in imgproxy": lambda picture, quality: vips.saved(picture, Q=quality, optimize_coding=1, strip=1),
    }
    if (jpegli := _library("pyjpegli")) is not None:
        found["jpegli"] = lambda picture, quality: jpegli.encode(picture.tobytes(), *picture.size, quality)
    return found


def _webps() -> dict[str, Encoder]:
    """Method 4 is the usual one of libwebp, and so of libvips and imgproxy."""

    def of(method: int) -> Encoder:
        return lambda picture, quality: by_pillow(picture, "WEBP", quality=quality, method=method)

    return {"libwebp, method 4 (imgproxy)": of(4), "libwebp, method 6": of(6)}


def _avifs() -> dict[str, Encoder]:
    def of(speed: int) -> Encoder:
        return lambda picture, quality: by_pillow(picture, "AVIF", quality=quality, speed=speed, max_threads=1)

    return {"libavif, speed 6": of(6), "libavif, speed 10": of(10)}


def _sharp(target: str) -> dict[str, Encoder]:
    """sharp with its own settings; for JPEG also with those of mozjpeg. A PNG of a quality would get a palette."""
    sharp = _in_node("sharp")
    if sharp is None:
        return {}
    found: dict[str, Encoder] = {"sharp": partial(sharp, target=target)}
    return found | ({"sharp, mozjpeg": partial(sharp, target=target, mozjpeg=True)} if target == "jpeg" else {})


@cache
def _in_node(folder: str) -> Callable[..., tuple[bytes, float]] | None:
    """The encoders of a package for Node.js, sharp or Squoosh's WebAssembly; None if it is not installed."""
    node = shutil.which("node")
    if node is None or not (HERE / folder / "node_modules").exists():
        return None
    command = [node, str(HERE / folder / "encode.mjs")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def encoder(
        picture: Image.Image, quality: int, *, target: str, mode: str = "RGB", **options: Any
    ) -> tuple[bytes, float]:
        pixels = base64.b64encode(picture.convert(mode).tobytes()).decode()
        job = {"format": target, "width": picture.width, "height": picture.height, "pixels": pixels}
        assert process.stdin
        assert process.stdout
        settings = options if target == "png" else options | {"quality": quality}
        process.stdin.write(json.dumps(job | {"options": settings}) + "\n")
        process.stdin.flush()
        made = json.loads(process.stdout.readline())
        return base64.b64decode(made["body"]), made["ms"]

    return encoder


def _lossless(pictures: list[Image.Image]) -> list[tuple[str, float, float]]:
    """PNG looks the same whatever it takes: the encoder, bits a pixel, and milliseconds a million pixels."""

    def of(level: int) -> Encoder:
        return lambda picture, _: by_pillow(picture, "PNG", compress_level=level)

    encoders = {"zlib 1": of(1), "imgproc (zlib 4)": of(4), "zlib 6 (libvips, imgproxy)": of(6)}
    encoders |= {"imgproc, smart (zlib 9)": of(9)} | _sharp("png")
    if (oxipng := _library("oxipng")) is not None:
        for level in (1, 2, 4):
            encoders[f"zlib 4, then oxipng {level}"] = partial(_oxipng, oxipng, level)
    say("  png")
    return [(name, *_size_and_cost(encoder, pictures)) for name, encoder in encoders.items()]


def _size_and_cost(encoder: Encoder, pictures: list[Image.Image]) -> tuple[float, float]:
    """Bits a pixel of all pictures, and milliseconds a million pixels: the fastest of three."""
    pixels = sum(picture.width * picture.height for picture in pictures)
    turns = [[_timed(encoder, picture, 0) for picture in pictures] for _ in range(3)]
    cost = min(sum(cost for _, cost in turn) for turn in turns)
    return 8 * sum(len(body) for body, _ in turns[0]) / pixels, cost / pixels * 10**6


def _oxipng(oxipng: Any, level: int, picture: Image.Image, _quality: int) -> bytes:
    return bytes(oxipng.optimize_from_memory(by_pillow(picture, "PNG", compress_level=4), level=level))


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
