"""sharp as a second judge, where Node and sharp are installed."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from tests.corpora.shown import Shown

PROGRAM = Path(__file__).with_name("sharp.js")
MODULES = Path(__file__).parents[2] / "benchmarks" / "sharp" / "node_modules"
INSTALL = "npm ci --prefix benchmarks/sharp --ignore-scripts"


class Sharp:
    """Shows pictures in one process of Node."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def show(self, path: Path) -> Shown | None:
        """What sharp makes of a file: its first page, upright, in sRGB, on white; None if it cannot read it whole.

        Raises:
            RuntimeError: the file ended the process.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path.absolute()}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{path} ended the process of sharp")
        if not answer.strip():
            return None
        with Image.open(io.BytesIO(base64.b64decode(answer))) as picture:
            return Shown(np.asarray(picture.convert("RGB")))


def missing() -> str | None:
    """Why sharp cannot judge here, or None."""
    is_there = shutil.which("node") and (MODULES / "sharp").exists()
    return None if is_there else f"sharp is left out; with Node, install it by: {INSTALL}"


@contextmanager
def sharp() -> Iterator[Sharp]:
    """Start Node."""
    environment = os.environ | {"NODE_PATH": str(MODULES)}
    pipe = subprocess.PIPE
    with subprocess.Popen(["node", PROGRAM], stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        yield Sharp(process)
