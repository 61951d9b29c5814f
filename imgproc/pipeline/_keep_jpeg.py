"""A JPEG's coefficients encoded anew, in a process of its own.

On some damaged files, which decoders show all the same, mozjpeg ends the process that it runs in.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("_jpeg_anew.py")
TIME_LIMIT = 60  # seconds; 16 million pixels take one


def keep_jpeg(source: bytes) -> bytes | None:
    """The same coefficients, without metadata or profile; None where mozjpeg cannot have them."""
    command = [sys.executable, "-I", str(PROGRAM)]
    try:
        child = subprocess.run(  # noqa: S603 - the command is ours
            command, input=source, capture_output=True, timeout=TIME_LIMIT, check=True, env={}
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return child.stdout
