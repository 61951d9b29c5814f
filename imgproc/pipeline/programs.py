"""Runs one of our programs in a process of its own, where the kernel limits the memory and time that a file may take.

The program calls `core.process.confine` first. It inherits no environment, so that it knows no secret.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import imgproc

ROOT = Path(imgproc.__file__).parent.parent
_LIMITS = {-signal.SIGABRT, -signal.SIGXCPU}  # no memory; no processor time
_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGALRM}


class End(Enum):
    """How a program ended: `LIMIT` is one of its limits, `KILLED` is not its own fault, `CRASHED` is any other."""

    WELL = "well"
    LIMIT = "limit"
    KILLED = "killed"
    CRASHED = "crashed"


@contextmanager
def started(program: str, task: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the module `program` with `task` as JSON in its argument; it is killed if it outlives the block."""
    command = [sys.executable, "-m", program, json.dumps(task)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=ROOT, env={})  # noqa: S603 - the command is ours
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None and not stream.closed:
                _close(stream)


def _close(stream: Any) -> None:
    try:
        stream.close()
    except BrokenPipeError:  # The program ended before it had read everything.
        return


def end_of(child: subprocess.Popen[bytes]) -> End:
    """Wait for the end of the program, and say how it ended."""
    status = child.wait()
    if status == 0:
        return End.WELL
    if status in _LIMITS:
        return End.LIMIT
    return End.KILLED if status in _FROM_OUTSIDE else End.CRASHED
