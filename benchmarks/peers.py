"""Other programs that make a half-size JPEG of quality 50 from a JPEG. Peers that are not installed are left out."""

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
    """The compress stage of imgproc, with its checks, orientation and colour management."""
    return compress(source, options=CompressOptions(), max_pixels=MAX_PIXELS).body


def naive(source: bytes, *, resample: Image.Resampling | None = None) -> bytes:
    """The usual first program: decode in full, resize (bicubic by default), save to memory."""
    image: Image.Image = Image.open(io.BytesIO(source))
    image = image.resize((image.width // 2, image.height // 2), resample)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def draft_only(source: bytes) -> bytes:
    """Pillow's fastest path: no checks, colour management, orientation or optimized tables."""
    image = Image.open(io.BytesIO(source))
    image.draft(None, (image.width // 2, image.height // 2))
    image.load()
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def floor(source: bytes) -> bytes:
    """libjpeg-turbo alone: decode at half the scale, encode. No Python library that uses it can be faster."""
    height, width, _, _ = simplejpeg.decode_jpeg_header(source)
    pixels = simplejpeg.decode_jpeg(source, min_height=height // 2, min_width=width // 2, min_factor=2)
    body: bytes = simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="420", fastdct=False)
    return body


class OtherProcess:
    """A peer in another process. It reads paths of JPEGs, one a line, and answers with the cost of each as JSON."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, source: bytes) -> Cost:
        """Halve `source`; return the cost."""
        with _file_of(source) as path:
            print(path, file=self._process.stdin, flush=True)
            assert self._process.stdout is not None
            return Cost(**json.loads(self._process.stdout.readline()))


def image_magick(source: bytes, *, program: str, shrink_on_load: bool) -> Cost:
    """ImageMagick as scripts call it, one process for each picture; the cost includes its start."""
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
    """Every peer that can run here, imgproc included, by its name in the tables."""
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
    return found | _other_processes()


def _other_processes() -> dict[str, Peer]:
    """The peers that run in other processes."""
    found: dict[str, Peer] = {}
    node = shutil.which("node")
    if node and (HERE / "sharp" / "node_modules" / "sharp").exists():
        found["sharp"] = OtherProcess(node, HERE / "sharp" / "resize.js")
    if THUMBOR.exists():
        found["thumbor's engine"] = OtherProcess(THUMBOR, HERE / "thumbor" / "resize.py")
    if program := next(filter(_is_image_magick, ("magick", "convert-im6.q16", "convert")), None):
        magick = partial(image_magick, program=program)
        found["ImageMagick"] = partial(magick, shrink_on_load=False)
        found["ImageMagick, jpeg:size"] = partial(magick, shrink_on_load=True)
    return found


def _is_image_magick(program: str) -> bool:
    """Whether this is ImageMagick; another program may have the name `convert`."""
    if shutil.which(program) is None:
        return False
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    return told.stdout.startswith("Version: ImageMagick")


def left_out(found: Collection[str]) -> list[str]:
    """A sentence for each peer that is missing, with how to install it."""
    known = {
        "sharp": "make bench installs it if npm is there",
        "thumbor's engine": "make bench installs it in an environment of its own",
        "ImageMagick": "Debian: apt install imagemagick",
    }
    return [f"Not installed, so left out: {name} ({remedy})." for name, remedy in known.items() if name not in found]
