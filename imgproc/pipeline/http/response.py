"""The answers of http.client, read as leniently as browsers read them."""

from __future__ import annotations

import http.client
import io
import socket
from contextlib import suppress
from typing import Any

from imgproc.pipeline.http.deadline import Deadline
from imgproc.pipeline.http.head import Head, HeadReader

MAX_INTERIM = 20  # answers of 1xx before the final one
MAX_SURPLUS = 2  # bytes beyond the announced length that still belong to the body
WITHOUT_BODY = {http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED}


class _Counted(io.RawIOBase):
    """Tells the deadline how many bytes have come, also in the middle of a long read.

    Within a body an error first looks like the end, so that the bytes before it are not lost, and is raised after that.
    """

    def __init__(self, raw: io.RawIOBase, deadline: Deadline) -> None:
        super().__init__()
        self._raw = raw
        self._deadline = deadline
        self._failure: OSError | None = None
        self.in_body = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._failure:
            raise self._failure
        try:
            count: int | None = self._raw.readinto(buffer)
        except OSError as error:
            if not self.in_body:
                raise
            self._failure, count = error, 0
        self._deadline.received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class Response(http.client.HTTPResponse):
    """An answer that may have interim ones before it, or a length that is repeated or slightly too small."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        # http.client has made a BufferedReader over the socket.
        self._counted = _Counted(self.fp.detach(), Deadline.current())
        self.fp = io.BufferedReader(self._counted)
        self._socket = sock
        self._surplus = b""

    def begin(self) -> None:
        """Read the head of the final answer.

        Raises:
            http.client.HTTPException: there is no final answer, or it has contradictory lengths. urllib3 refuses
                these later, when it no longer closes the socket.
        """
        head = self._final_head()
        self.version, self.reason, self.headers = head.version, head.reason.strip(), head.headers
        self.code = self.status = head.status
        self.msg = head.headers
        codings = ",".join(head.headers.get_all("Transfer-Encoding", [])).lower()
        self.chunked = "chunked" in (coding.partition(";")[0].strip() for coding in codings.split(","))
        self.chunk_left = None
        self.length = 0 if head.status in WITHOUT_BODY else None if self.chunked else _length(head)
        # The end of the connection is the end of a body without a length.
        until_end = self.length is None and not self.chunked
        self.will_close = until_end or self._check_close()  # type: ignore[attr-defined]  # not in the stubs
        self._counted.in_body = True

    def _final_head(self) -> Head:
        interim = 0
        while interim <= MAX_INTERIM:
            head = HeadReader(self.fp).read()
            if head.status >= http.HTTPStatus.OK:
                return head
            if head.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                break
            interim += head.status != http.HTTPStatus.CONTINUE  # http.client takes any number of these
        raise http.client.HTTPException("no final answer")  # interim ones: RFC 9110, 15.2

    def read(self, amt: int | None = None) -> bytes:
        """Read as http.client does; the last piece includes one or two bytes that were not announced."""
        piece = super().read(amt)
        if self._surplus:
            piece, self._surplus = piece + self._surplus, b""
        return piece

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # not in the stubs
        if size < 0:
            raise ValueError("negative size of a chunk")  # http.client raises IncompleteRead for it
        return size

    def _safe_read(self, amt: int) -> bytes:
        if amt == 2 and self.chunk_left == 0:  # the end of a chunk, which some hosts write as a line feed alone
            end = self.fp.read(1)
            return end if end == b"\n" else end + super()._safe_read(1)  # type: ignore[misc]  # not in the stubs
        data: bytes = super()._safe_read(amt)  # type: ignore[misc]  # not in the stubs
        return data

    def _close_conn(self) -> None:
        # Whatever follows the announced body is unsolicited. One or two bytes are the end of a body whose length was
        # computed wrongly; decoders ignore them if not.
        if self.length == 0 and not self.chunked and self.fp:
            with suppress(OSError, ValueError):
                timeout = self._socket.gettimeout()
                self._socket.settimeout(0)
                surplus = self.fp.peek(1)  # a BufferedReader
                if surplus:
                    self._surplus = surplus if len(surplus) <= MAX_SURPLUS else b""
                    self._socket.shutdown(socket.SHUT_RDWR)  # so that the connection is not reused
                self._socket.settimeout(timeout)
        super()._close_conn()  # type: ignore[misc]  # not in the stubs


class LastResponse(Response):
    """Ends its connection, although the server would keep it open."""

    def begin(self) -> None:
        """Read the head of the final answer."""
        super().begin()
        self.will_close = True


def _length(head: Head) -> int | None:
    """The announced length of the body, also where it is repeated (RFC 9110, 8.6); None if there is none.

    Raises:
        http.client.HTTPException: there are several.
    """
    lengths = {length.strip() for length in ",".join(head.headers.get_all("Content-Length", [])).split(",")}
    if len(lengths) > 1:
        raise http.client.HTTPException("contradictory Content-Length")
    length = lengths.pop()
    return int(length) if length.isascii() and length.isdecimal() else None
