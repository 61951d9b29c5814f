"""Counts instructions with valgrind's callgrind: the same on every run, however busy the machine is."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from PIL import features

from benchmarks.corpus import encoded, jpeg
from benchmarks.regression.counted_work import CSV, DATA, JPEG, PIECES, PNG, PRODUCTS
from benchmarks.scan import file_of
from benchmarks.tables import add_request, migrated_app
from tests.support.host_process import image_host_process

ROOT = Path(__file__).parents[2]
ROWS = 2_000
PACKAGES = ("pillow", "simplejpeg", "numpy", "sqlalchemy", "urllib3", "flask")
TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def is_installed() -> bool:
    """Whether valgrind can be run."""
    return shutil.which("valgrind") is not None


def setting() -> dict[str, str]:
    """The versions and the machine that counts hold for."""
    valgrind = subprocess.run(["valgrind", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return {
        "valgrind": valgrind,
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "libjpeg-turbo": features.version("libjpeg_turbo") or "",
    }


def count() -> dict[str, int]:
    """The instructions of each piece of work.

    Raises:
        RuntimeError: the program failed, or callgrind wrote other counts than it should.
    """
    with tempfile.TemporaryDirectory() as name, image_host_process(jpeg("S")) as host:
        folder = Path(name)
        (folder / JPEG).write_bytes(jpeg("S"))
        (folder / PNG).write_bytes(encoded("S", "PNG"))
        (folder / CSV).write_bytes(file_of(ROWS, 3))
        with migrated_app({"DATA_DIR": str(folder / DATA)}):
            add_request(2 * PRODUCTS, done=0, queued=2 * PRODUCTS)
        _run(folder, f"{host}/picture.jpg")
        # The first dump ends with the start and the first warm-up; then counted runs and warm-ups take turns.
        dumps = sorted(folder.glob("counts.*"), key=lambda file: int(file.suffix[1:]))
        totals = [int(found[1]) for file in dumps if (found := TOTAL.search(file.read_text(errors="replace")))]
    counted = totals[1 : 2 * len(PIECES) : 2]
    if len(counted) != len(PIECES):
        raise RuntimeError(f"callgrind wrote {len(totals)} counts.")
    return dict(zip(PIECES, counted, strict=True))


def _run(folder: Path, url: str) -> None:
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counts", "--dump-before=getppid"]
    command += [sys.executable, "-m", "benchmarks.regression.counted_work", str(folder), url]
    environ = {**os.environ, "PYTHONHASHSEED": "0", "TMPDIR": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"The counted program failed:\n{done.stderr[-2000:]}")
