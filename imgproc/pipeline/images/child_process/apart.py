"""Compresses a picture in a process of its own (`apart_program`), where the kernel limits its memory and time.

It is for formats whose decoder cannot be interrupted, although a drawing may ask for hours of work, or has had
vulnerabilities. A crash ends one picture and no worker. The program reads the headers, asks for the memory that it
needs, and answers with the rendition.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import nullcontext
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from imgproc.core.errors import CompressError
from imgproc.pipeline.images.formats import APART, INPUT_FORMATS
from imgproc.pipeline.images.guards.cost import MB
from imgproc.pipeline.images.guards.memory import MemoryBudget
from imgproc.pipeline.images.options import CompressOptions
from imgproc.pipeline.programs import End, end_of, started

MEMORY_BYTES = 450 * MB  # of the program, beside its source
IDLE_BYTES = 60 * MB  # of the program before it decodes
CPU_SECONDS = 10  # of the program; a HEIC of 48 megapixels takes 3
WAIT_SECONDS = 600  # until an overloaded machine has given it that time
MAX_LINE = 64 * 1024
_PROGRAM = "imgproc.pipeline.images.child_process.apart_program"
Answer = dict[str, Any]


def check_installed(source_format: str) -> None:
    """Refuse a picture whose decoder belongs to an extra that is not installed.

    Raises:
        CompressError: `unsupported_format`; the detail names the extra, and what the owner of the picture can do.
    """
    needed = APART[source_format]
    if needed is not None and find_spec(needed.module) is None:
        name = INPUT_FORMATS[source_format].name
        detail = f"This is a {name} image; {needed.remedy}, or install imgproc[{needed.extra}] on the server."
        raise CompressError(detail, code="unsupported_format")


def run_apart(
    source: bytes, *, source_format: str, options: CompressOptions, max_pixels: int, memory: MemoryBudget | None
) -> tuple[Answer, bytes]:
    """The rendition that the program made, as a dictionary without its body, and the body.

    Raises:
        CompressError: the program raised it, or reached one of its limits, or was killed.
    """
    check_installed(source_format)
    task = {
        "bytes": len(source),
        "options": asdict(options),
        "max_pixels": max_pixels,
        "memory": MEMORY_BYTES + len(source),
        "seconds": CPU_SECONDS,
        "wait": WAIT_SECONDS,
    }
    with started(_PROGRAM, task) as child:
        try:
            answer, body = _talk(child, source, memory)
        except (OSError, EOFError, ValueError) as error:  # It has ended in the middle of a message.
            raise _ended(end_of(child), INPUT_FORMATS[source_format].name) from error
    if refusal := answer.get("error"):
        raise CompressError(refusal["detail"], code=refusal["code"])
    return answer, body


def _talk(child: subprocess.Popen[bytes], source: bytes, memory: MemoryBudget | None) -> tuple[Answer, bytes]:
    assert child.stdin  # noqa: S101 - a pipe; for the type checker
    assert child.stdout  # noqa: S101 - the same
    child.stdin.write(source)
    child.stdin.flush()
    answer: Answer = json.loads(child.stdout.readline(MAX_LINE))
    if "need" not in answer:
        return answer, b""
    with nullcontext() if memory is None else memory.hold(answer["need"] + IDLE_BYTES):
        child.stdin.write(b"\n")
        child.stdin.flush()
        answer = json.loads(child.stdout.readline(MAX_LINE))
        size = answer.pop("body", 0)
        body = child.stdout.read(size)
    if child.wait() != 0 or len(body) != size:
        raise EOFError("the answer ends early")
    return answer, body


def _ended(end: End, name: str) -> CompressError:
    if end is End.KILLED:
        detail = "The program that decodes the picture was killed; try again later."
        return CompressError(detail, code="worker_lost", retryable=True)
    if end is End.LIMIT:
        detail = f"The {name} takes too much memory or time; export it as an ordinary JPEG or PNG."
        return CompressError(detail, code="unsupported_format")
    return CompressError(f"The {name} file is damaged and cannot be decoded; export it again.", code="corrupt_image")
