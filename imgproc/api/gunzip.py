"""Decompresses a request body that a client has sent with `Content-Encoding: gzip` (RFC 9110, 8.4.1.3)."""

from __future__ import annotations

import zlib
from typing import IO, cast

from werkzeug.exceptions import RequestEntityTooLarge

from imgproc.api.problems import Problem

PIECE = 16 * 1024  # compressed bytes read at a time
MAX_MEMBERS = 10_000  # of one file (RFC 1952, 2.2); each costs time, even if it is empty
GZIP_HEADER = 16  # added to zlib's window bits: expect a gzip header


def decoded(stream: IO[bytes], *, coding: str, limit: int) -> IO[bytes]:
    """The stream as it was before `coding`, the Content-Encoding. More than `limit` bytes of it are refused.

    Raises:
        Problem: 415 `unsupported_file_type`, as we do not read this coding.
    """
    name = coding.strip().lower()
    if name in {"", "identity"}:
        return stream
    if name not in {"gzip", "x-gzip"}:
        detail = f"Content-Encoding {name[:40]} is not supported; send the file uncompressed, or with gzip."
        raise Problem(415, "unsupported_file_type", detail, headers={"Accept-Encoding": "gzip, identity"})
    return cast("IO[bytes]", Gunzip(stream, limit=limit))


class Gunzip:
    """Reads a gzip stream of at most `limit` decompressed bytes. Memory is constant, whatever the ratio."""

    def __init__(self, stream: IO[bytes], *, limit: int) -> None:
        self._stream = stream
        self._left = limit
        self._members = 0
        self._ahead = b""
        self._start_member()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, at most 64 KiB at a time; empty at the end.

        Raises:
            Problem: 400 `bad_request`, as the stream is no gzip, or ends too early.
            RequestEntityTooLarge: it holds more than the limit.
        """
        most = min(size, 4 * PIECE) if size > 0 else 4 * PIECE
        while True:
            if not self._ahead:
                self._ahead = self._stream.read(PIECE)
            if not self._ahead and (self._zlib.eof or not self._begun):
                return b""
            if self._zlib.eof:
                self._start_member()
            if block := self._decompress(most):
                self._left -= len(block)
                if self._left < 0:
                    raise RequestEntityTooLarge
                return block

    def _decompress(self, most: int) -> bytes:
        self._begun = True
        is_last = not self._ahead
        try:
            block = self._zlib.decompress(self._ahead, most)
        except zlib.error as error:
            detail = "Content-Encoding says gzip, but the body is not; leave the header out, or compress the body."
            raise Problem(400, "bad_request", detail) from error
        self._ahead = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
        if is_last and not block and not self._zlib.eof:
            raise Problem(400, "bad_request", "The gzip body ends too early; send all of it.")
        return block

    def _start_member(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | GZIP_HEADER)
        self._begun = False
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise Problem(400, "bad_request", f"The gzip body has more than {MAX_MEMBERS:,} members; compress it once.")
