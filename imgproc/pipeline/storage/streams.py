"""Fits streams to boto3, and the streams of boto3 to our readers."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from types import SimpleNamespace
from typing import IO, BinaryIO, cast

from botocore.response import StreamingBody

from imgproc.core.spool import Spool


def unclosable(stream: BinaryIO) -> IO[bytes]:
    """The stream with only `read`: boto3 would close it, but the caller does that."""
    return cast("IO[bytes]", SimpleNamespace(read=stream.read))


def spooled(body: StreamingBody) -> BinaryIO:
    """A local copy of an object. Before Python 3.11 a `SpooledTemporaryFile` lacks methods of a file."""
    with ExitStack() as on_error:
        local = Spool(on_error.enter_context(tempfile.TemporaryFile()))
        shutil.copyfileobj(body, local)
        local.seek(0)
        on_error.pop_all()
        return cast("BinaryIO", local)
