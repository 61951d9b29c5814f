"""Reads the head of an answer as browsers do: lines that are no headers are skipped, and there may be many headers.

http.client takes the first malformed line for the end of the head, so a length below it is lost, and it refuses hosts
that send more than 100 headers.
"""

from __future__ import annotations

import http.client
import io
import re
from typing import NamedTuple

MAX_HEAD_BYTES = 256 * 1024  # as in Chromium
MAX_LINE_BYTES = 64 * 1024
MAX_HEADERS = 1000
MAX_BLANK_LINES = 4  # before the status; some hosts send one too many after an answer

_STATUS = re.compile(rb"(?:HTTP/([0-3])(?:\.(\d))?|ICY)[ \t]+0*([1-9]\d\d)(?:[ \t]+(.*))?\Z", re.I)
_HEADER = re.compile(rb"([!#-'*+.^_`|~0-9A-Z-]+)[ \t]*:[ \t]*(.*)\Z", re.I)
_CONTROL = re.compile(rb"[\x00\r\n]")  # within a line


class Head(NamedTuple):
    """The head of one answer; `version` is 10 or 11."""

    version: int
    status: int
    reason: str
    headers: http.client.HTTPMessage


class HeadReader:
    """Reads one head from `stream`."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._left = MAX_HEAD_BYTES

    def read(self) -> Head:
        """The head. The end of the stream within the headers counts as their end.

        Raises:
            http.client.HTTPException: it does not begin with a status, or is too long.
        """
        blanks = 0
        while (line := self._line()) == b"" and blanks < MAX_BLANK_LINES:
            blanks += 1
        if line is None:
            raise http.client.RemoteDisconnected("Remote end closed connection without response")
        found = _STATUS.match(line)
        if not found:
            raise http.client.BadStatusLine(line[:100].decode("latin-1"))
        major, minor, status, reason = found.groups(b"0")
        version = 11 if (major, minor) >= (b"1", b"1") else 10
        return Head(version, int(status), reason.decode("latin-1") if found[4] else "", self._headers())

    def _headers(self) -> http.client.HTTPMessage:
        read: list[tuple[bytes, bytes]] = []
        while line := self._line():
            if line[:1] in b" \t":
                if read:  # a folded line belongs to the header above it (RFC 9112, 5.2)
                    read[-1] = read[-1][0], read[-1][1] + b" " + line.strip()
            elif found := _HEADER.match(line):
                read.append((found[1], found[2].rstrip()))
            if len(read) > MAX_HEADERS:
                raise http.client.HTTPException("too many headers")
        headers = http.client.HTTPMessage()
        for name, value in read:
            headers[name.decode("ascii")] = value.decode("latin-1")
        return headers

    def _line(self) -> bytes | None:
        """The next line without its end; None at the end of the stream."""
        line = self._stream.readline(MAX_LINE_BYTES + 1)
        self._left -= len(line)
        if len(line) > MAX_LINE_BYTES or self._left < 0:
            raise http.client.LineTooLong("head")
        if not line:
            return None
        return _CONTROL.sub(b" ", line.removesuffix(b"\n").removesuffix(b"\r"))
