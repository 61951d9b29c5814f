"""How others make the half-size, quality 50 JPEG of a JPEG. A peer that is not installed is left out."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import simplejpeg
from PIL import Image

from benchmarks import vips
from benchmarks.measure import Cost, of_children
from imgproc.pipeline.images.compress import CompressOptions, compress

Peer = Callable[[bytes], Any]
QUALITY = 50
MAX_PIXELS = 50_000_000
HERE = Path(__file__).parent
THUMBOR = HERE / "thumbor" / ".venv" / "bin" / "python"


def ours(source: bytes) -> bytes:
    """The pipeline's own stage, with its checks, orientation and colour management."""
    return compress(source, options=CompressOptions(), max_pixels=MAX_PIXELS).body


def naive(source: bytes, *, resample: Image.Resampling | None = None) -> bytes:
    """What everybody writes first: decode in full, resize (bicubic unless told otherwise), save to memory."""
    image: Image.Image = Image.open(io.BytesIO(source))
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
    height, width, _, _ = simplejpeg.decode_jpeg_header(source)
    pixels = simplejpeg.decode_jpeg(source, min_height=height // 2, min_width=width // 2, min_factor=2)
    body: bytes = simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="420", fastdct=False)
    return body


class Elsewhere:
    """A peer in a process of its own: it reads the path of a JPEG a line, and answers what that cost it as JSON."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, source: bytes) -> Cost:
        """Half of `source`, and what it cost."""
        with _file_of(source) as path:
            print(path, file=self._process.stdin, flush=True)
            assert self._process.stdout is not None
            return Cost(**json.loads(self._process.stdout.readline()))


def image_magick(source: bytes, *, program: str, shrink_on_load: bool) -> Cost:
    """ImageMagick as scripts call it, a process a picture; its start is part of the cost."""
    with _file_of(source) as path:
        width, height = (side // 2 for side in Image.open(path).size)
        hint = ["-define", f"jpeg:size={width}x{height}"] if shrink_on_load else []
        command = [program, "-limit", "thread", "1", *hint, path, "-resize", f"{width}x{height}!"]
        return of_children([*command, "-quality", str(QUALITY), "jpeg:/dev/null"])


@contextmanager
def _file_of(source: bytes) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(source)
        file.flush()
        yield file.name


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
    found["libvips shrink-on-load"] = partial(vips.shrink_on_load, quality=QUALITY)
    found["libvips thumbnail"] = partial(vips.thumbnail, quality=QUALITY)
    return found | _elsewhere()


def _elsewhere() -> dict[str, Peer]:
    """The peers that are no library of this interpreter."""
    found: dict[str, Peer] = {}
    node = shutil.which("node")
    if node and (HERE / "sharp" / "node_modules" / "sharp").exists():
        found["sharp"] = Elsewhere(node, HERE / "sharp" / "resize.js")
    if THUMBOR.exists():
        found["thumbor's engine"] = Elsewhere(THUMBOR, HERE / "thumbor" / "resize.py")
    if program := next(filter(_is_image_magick, ("magick", "convert-im6.q16", "convert")), None):
        magick = partial(image_magick, program=program)
        found["ImageMagick"] = partial(magick, shrink_on_load=False)
        found["ImageMagick, jpeg:size"] = partial(magick, shrink_on_load=True)
    return found


def _is_image_magick(program: str) -> bool:
    """`convert` may as well be another program."""
    if shutil.which(program) is None:
        return False
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    return told.stdout.startswith("Version: ImageMagick")


def left_out(found: Collection[str]) -> list[str]:
    """A sentence for each peer that is not among those found: how to have it here."""
    known = {
        "sharp": "make bench installs it where there is npm",
        "thumbor's engine": "make bench installs it in an environment of its own",
        "ImageMagick": "Debian: apt install imagemagick",
    }
    return [f"Not installed, so left out: {name} ({remedy})." for name, remedy in known.items() if name not in found]
