"""Saves a file of a request: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import IO

from imgproc.client.transport import PIECE, Transport


def save(transport: Transport, path: str, to: str | os.PathLike[str] | IO[bytes]) -> int:
    """Write the body of an answer to a stream, or to a path whose file it replaces. Returns the number of bytes.

    Raises:
        ApiError: the API refused, or did not answer.
        OSError: it cannot be written.
    """
    if isinstance(to, (str, os.PathLike)):
        return _replace(transport, path, Path(to))
    with tempfile.TemporaryFile() as whole:
        size = transport.fetch(path, whole)
        whole.seek(0)
        shutil.copyfileobj(whole, to, PIECE)
    to.flush()
    return size


def _replace(transport: Transport, path: str, target: Path) -> int:
    if target.exists() and not target.is_file():  # a device or a pipe has no name beside it to rename
        with target.open("wb") as out:
            return save(transport, path, out)
    target = target.resolve()  # a link stays, and leads to the new file
    part = target.with_name(f".{uuid.uuid4().hex}.part")  # a short name, however long that of the target is
    try:
        with part.open("xb") as whole:
            size = transport.fetch(path, whole)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return size
