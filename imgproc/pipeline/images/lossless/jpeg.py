"""Encodes a JPEG's coefficients again, in a process of its own.

mozjpeg ends its process on some damaged files that decoders still show.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from imgproc.pipeline.images.guards.cost import CpuTime

PROGRAM = Path(__file__).with_name("jpeg_program.py")
TIME_LIMIT = 60  # seconds; 16 million pixels take one


def keep_jpeg(source: bytes, time: CpuTime) -> bytes | None:
    """The same coefficients, without metadata or profile; None where mozjpeg fails or no `time` is left."""
    if time.left < 1:
        return None
    command = [sys.executable, "-I", str(PROGRAM), str(int(time.left))]
    try:
        child = subprocess.run(  # noqa: S603 - the command is ours
            command, input=source, capture_output=True, timeout=TIME_LIMIT, check=True, env={}
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return child.stdout
