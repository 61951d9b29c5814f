"""The program that `apart` runs: compresses the picture on standard input.

It prints a line of JSON with the memory it needs, waits for a byte, and prints a line with the rendition and then its
body; or a line with the error. Its argument is a task as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from imgproc.core.errors import CompressError
from imgproc.core.metrics import StageSeconds
from imgproc.core.process import confine
from imgproc.pipeline.images.compress import CompressOptions, MemoryBudget, compress


class _MemoryOfParent(MemoryBudget):
    """Lets the parent hold the memory, whose budget all pictures share."""

    def __init__(self) -> None:
        """The parent knows the limit."""

    @contextmanager
    def hold(self, need: int) -> Iterator[None]:
        _say({"need": need})
        sys.stdin.buffer.read(1)
        yield


def _say(message: dict[str, Any], body: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n" + body)
    sys.stdout.buffer.flush()


def main(task: dict[str, Any]) -> None:
    """Compress the picture, and print the answer."""
    source = sys.stdin.buffer.read(task["bytes"])
    options, spent = CompressOptions(**task["options"]), StageSeconds()
    memory = _MemoryOfParent()
    try:
        made = compress(
            source, options=options, max_pixels=task["max_pixels"], memory=memory, is_apart=True, spent=spent
        )
    except CompressError as error:
        _say({"error": {"code": error.code, "detail": error.detail}})
        return
    body, said = made.body, asdict(made) | {"body": len(made.body), "spent": spent}
    _say(said, body)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    confine(memory=given["memory"], seconds=given["seconds"], wait=given["wait"])
    main(given)
