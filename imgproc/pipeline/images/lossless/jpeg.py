"""A JPEG's coefficients encoded anew, in a process of its own.

On some damaged files, which decoders show all the same, mozjpeg ends the process that it runs in.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from imgproc.pipeline.images.cost import CpuTime

PROGRAM = Path(__file__).with_name("jpeg_program.py")
TIME_LIMIT = 60  # seconds; 16 million pixels take one


def keep_jpeg(source: bytes, time: CpuTime) -> bytes | None:
    """The same coefficients, without metadata or profile; None where mozjpeg cannot have them in the `time` left."""
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
