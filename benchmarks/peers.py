"""How others make the half-size, quality 50 JPEG of a JPEG. A peer that is not installed is left out."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.measure import Cost
from imgproc.pipeline.compress import CompressOptions, compress

Peer = Callable[[bytes], Any]
QUALITY = 50
MAX_PIXELS = 50_000_000


def ours(source: bytes) -> bytes:
    """The pipeline's own stage, with its checks, orientation and colour management."""
    return compress(source, options=CompressOptions(), max_pixels=MAX_PIXELS).body


def naive(source: bytes, *, resample: Image.Resampling | None = None) -> bytes:
    """What everybody writes first: decode in full, resize (bicubic unless told otherwise), save to memory."""
    image = Image.open(io.BytesIO(source))
    image = image.resize((image.width // 2, image.height // 2), resample)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def draft_only(source: bytes) -> bytes:
    """Pillow's shortest way: no checks, no colours, no orientation, no optimized tables."""
    image = Image.open(io.BytesIO(source))
    image.draft(None, (image.width // 2, image.height // 2))
    image.load()
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def floor(source: bytes) -> bytes:
    """libjpeg-turbo alone: decode at half the scale, encode. No Python library can do with less."""
    import simplejpeg  # noqa: PLC0415 - a peer may be missing

    height, width, _, _ = simplejpeg.decode_jpeg_header(source)
    pixels = simplejpeg.decode_jpeg(source, min_height=height // 2, min_width=width // 2, min_factor=2)
    body: bytes = simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="420", fastdct=False)
    return body


def vips_shrink(source: bytes) -> bytes:
    """libvips as imgproxy drives it: shrink on load, optimized tables."""
    import pyvips  # noqa: PLC0415 - a peer may be missing

    image = pyvips.Image.jpegload_buffer(source, shrink=2)
    body: bytes = image.jpegsave_buffer(Q=QUALITY, optimize_coding=True, strip=True)
    return body


def vips_thumbnail(source: bytes) -> bytes:
    """libvips as its manual says: `thumbnail` reads the header, shrinks on load, and resizes the rest."""
    import pyvips  # noqa: PLC0415 - a peer may be missing

    width = pyvips.Image.jpegload_buffer(source).width // 2
    body: bytes = pyvips.Image.thumbnail_buffer(source, width).jpegsave_buffer(Q=QUALITY, strip=True)
    return body


class Sharp:
    """sharp of npm in a process of its own, which measures itself; one thread, as all here."""

    SCRIPT = Path(__file__).parent / "sharp"

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None or not (self.SCRIPT / "node_modules" / "sharp").exists():
            raise ImportError("sharp is not installed")
        self._process = subprocess.Popen(
            [node, "resize.js"], cwd=self.SCRIPT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __call__(self, source: bytes) -> Cost:
        """Half of `source`, and what it cost."""
        with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
            file.write(source)
            file.flush()
            print(file.name, file=self._process.stdin, flush=True)
            assert self._process.stdout is not None
            return Cost(**json.loads(self._process.stdout.readline()))


def peers() -> dict[str, Peer]:
    """Every peer that can run here, ours included, by the name it has in the tables."""
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    found: dict[str, Peer] = {
        "naive resize + save": naive,
        "Pillow LANCZOS": partial(naive, resample=Image.Resampling.LANCZOS),
        "libjpeg-turbo floor": floor,
        "imgproc": ours,
        "Pillow draft alone": draft_only,
    }
    if _installed("pyvips"):
        found |= {"pyvips shrink-on-load": vips_shrink, "pyvips thumbnail": vips_thumbnail}
    try:
        found["sharp"] = Sharp()
    except ImportError:
        print("sharp is not installed: npm ci --prefix benchmarks/sharp")
    return found


def _installed(module: str) -> bool:
    try:
        __import__(module)
    except (ImportError, OSError):
        return False
    return True
