"""Fits streams to boto3, and the streams of boto3 to our readers."""

from __future__ import annotations

import io
import shutil
import tempfile
from contextlib import ExitStack
from types import SimpleNamespace
from typing import IO, BinaryIO, cast

from botocore.response import StreamingBody

from imgproc.core.spool import Spool


def continued(start: bytes, stream: BinaryIO) -> IO[bytes]:
    """What was read of the stream, and then its rest; only `read`: boto3 would close it, but the caller does that."""
    begun = io.BytesIO(start)
    return cast("IO[bytes]", SimpleNamespace(read=lambda size=-1: begun.read(size) or stream.read(size)))


def spooled(body: BinaryIO | StreamingBody) -> BinaryIO:
    """A local copy of an object. Before Python 3.11 a `SpooledTemporaryFile` lacks methods of a file."""
    with ExitStack() as on_error:
        local = Spool(on_error.enter_context(tempfile.TemporaryFile()))
        shutil.copyfileobj(body, local)
        local.seek(0)
        on_error.pop_all()
        return cast("BinaryIO", local)
